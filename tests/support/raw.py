"""HTTP over a bare socket, for requests that no client library would send."""

import socket

import msgspec


class RawAnswer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool
    """The server ended the connection."""

    def json(self):
        return msgspec.json.decode(self.body)


def connect(port, patience=15.0):
    made = socket.create_connection(("127.0.0.1", port), patience)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def talk(port, *pieces):
    """Send the pieces, then read one answer and look whether the connection is closed after it."""
    with connect(port) as sock:
        for piece in pieces:
            try:
                sock.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
        return read(sock)


def read(sock):
    """Read one answer with a Content-Length; what comes after it must be nothing."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(sock, data)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers["content-length"])
    while len(body) < length:
        body += _some(sock, body)
    assert len(body) == length, body
    closed = headers.get("connection") == "close"
    if closed:
        assert sock.recv(1) == b"", "more came after the last answer"
    return RawAnswer(int(status.split()[1]), headers, body, closed)


def _some(sock, sofar):
    more = sock.recv(65536)
    assert more, f"the connection ended after {sofar!r}"
    return more


def request(body=b"", *lines, path="/inference", method="POST", length=True):
    """The bytes of a request; `lines` are header lines of its own."""
    fields = [f"{method} {path} HTTP/1.1", "Host: x", *lines]
    if length:
        fields.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*fields, "", ""]).encode("latin-1") + body
