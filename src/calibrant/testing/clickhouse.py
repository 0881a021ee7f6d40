"""ClickHouse's HTTP interface in front of chDB, its engine in a process: one server that several processes share.

In a process of its own:    `python -m calibrant.testing.clickhouse --port 0 --print-port`

It speaks as much of the interface as ClickHouse's own Python driver needs: questions and statements with parameters and
settings, inserts of compressed blocks, errors with their code. It checks no user and no password. Everything is gone
when it ends, unless `--path` names a folder.
"""

from __future__ import annotations

import argparse
import gzip
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import chdb

if sys.version_info >= (3, 14):
    from compression.zstd import decompress
else:
    from backports.zstd import decompress

try:
    from lz4 import frame as lz4_frame
except ImportError:
    lz4_frame = None

__all__ = ["ClickHouseFront", "main"]

_OF_HTTP = frozenset(
    {
        "buffer_size",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)
"""Parameters of an address that are no settings of the engine."""
_OF_INSERT = ("insert_deduplication_token", "max_execution_time")
"""Settings that differ from one insert to the next."""
_INSERT = re.compile(
    rb"\s*INSERT\s+INTO\s+(?P<into>.+?)\s+FORMAT\s+(?P<format>\w+)[ \t]*\r?\n", re.IGNORECASE | re.DOTALL
)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_CODE = re.compile(r"\bCode:\s*(\d+)")


class ClickHouseFront(ThreadingHTTPServer):
    """The server. One engine; a handle of it for each connection."""

    daemon_threads = True

    def __init__(self, port: int = 0, *, path: str = ":memory:") -> None:
        """Listen, and start the engine.

        Args:
            port: 0 for any.
            path: A folder for the data.
        """
        super().__init__(("127.0.0.1", port), _Handler)
        self.path = path
        self._engine = cast("Any", chdb).connect(path)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def handle_of_engine(self) -> Any:
        """Return another handle, with settings of its own."""
        return cast("Any", chdb).connect(self.path)

    def server_close(self) -> None:
        """Stop listening and let go of the engine."""
        super().server_close()
        self._engine.close()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ClickHouseFront  # pyright: ignore[reportIncompatibleVariableOverride]

    def setup(self) -> None:
        super().setup()
        self._handle = self.server.handle_of_engine()
        self._set: dict[str, str] = {}

    def finish(self) -> None:
        self._handle.close()
        super().finish()

    def do_GET(self) -> None:
        """Answer a ping, or a question in the address."""
        if urlsplit(self.path).path == "/ping":
            self._answer(200, b"Ok.\n")
        else:
            self.do_POST()

    def do_POST(self) -> None:
        """Answer a question, run a statement, insert a block."""
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            body = _unpacked(self._body(), self.headers.get("Content-Encoding", ""))
            kind = self.headers.get("Content-Type", "")
            if kind.startswith("multipart/form-data"):
                given |= _form(kind, body)
            answer, form = self._run(given, body)
        except RuntimeError as error:
            text = str(error)
            found = _CODE.search(text)
            code = found.group(1) if found else "1002"
            text = text[text.find("Code:") :] if found else text
            self._answer(500, text.encode(), {"X-ClickHouse-Exception-Code": code})
        else:
            self._answer(200, answer, {"X-ClickHouse-Format": form} if form else {})

    def _run(self, given: Mapping[str, str], body: bytes) -> tuple[bytes, str]:
        parameters = {name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")}
        settings = {
            name: value for name, value in given.items() if name not in _OF_HTTP and not name.startswith("param_")
        }
        of_insert = {name: settings.pop(name) for name in _OF_INSERT if name in settings}
        self._settle(settings, given.get("database", ""))
        insert = _INSERT.match(body)
        if insert is not None:
            self._insert(insert, body[insert.end() :], of_insert)
            return b"", ""
        sql = given["query"] if "query" in given else body.decode()
        asked = _FORMAT.search(sql)
        form = asked.group(1) if asked else "TabSeparated"
        result = self._handle.query(sql, form, params=parameters)
        answer = cast("bytes", result.bytes())
        return answer, form if asked or answer else ""

    def _settle(self, settings: dict[str, str], database: str) -> None:
        """Bring the handle to the settings of this request: a fresh one where others were set before."""
        wanted = {**settings, "USE": database}
        if wanted == self._set:
            return
        self._handle.close()
        self._handle = self.server.handle_of_engine()
        self._set = {}
        if database:
            self._handle.query(f"USE `{database}`", "TabSeparated")
        for name, value in settings.items():
            self._handle.query(f"SET {name} = {_quoted(value)}", "TabSeparated")
        self._set = wanted

    def _insert(self, insert: re.Match[bytes], block: bytes, given: Mapping[str, str]) -> None:
        with tempfile.NamedTemporaryFile(suffix=".block") as file:
            file.write(block)
            file.flush()
            settings = ", ".join(f"{name} = {_quoted(value)}" for name, value in given.items())
            settings = settings and f" SETTINGS {settings}"
            into, form = insert["into"].decode(), insert["format"].decode()
            sql = f"INSERT INTO {into} FROM INFILE {_quoted(file.name)}{settings} FORMAT {form}"
            self._handle.query(sql, "TabSeparated")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Summary", "{}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def _unpacked(body: bytes, encoding: str) -> bytes:
    unpack: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.decompress, "zstd": decompress}
    if lz4_frame is not None:
        unpack["lz4"] = _unlz4
    if encoding not in unpack:
        raise RuntimeError(f"Code: 1000. DB::Exception: this server does not unpack {encoding!r}")
    return unpack[encoding](body)


def _unlz4(body: bytes) -> bytes:
    # Each block comes in a frame of its own; the library's function opens the first alone.
    parts: list[bytes] = []
    while body:
        frame = cast("Any", lz4_frame).LZ4FrameDecompressor()
        parts.append(frame.decompress(body))
        body = frame.unused_data or b""
    return b"".join(parts)


def _form(kind: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form; long parameters come in one."""
    message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    fields: dict[str, str] = {}
    for part in cast("list[Message]", message.get_payload()):
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = cast("bytes", part.get_payload(decode=True)).decode()
    return fields


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="calibrant.testing.clickhouse", description=__doc__)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--path", default=":memory:")
    parser.add_argument("--print-port", action="store_true", help="write the port to standard output once it listens")
    options = parser.parse_args(arguments)
    server = ClickHouseFront(options.port, path=options.path)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_set, stop))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    if options.print_port:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
    stop.wait()
    server.shutdown()
    server.server_close()


def _set(stop: threading.Event, _number: int, _frame: FrameType | None) -> None:
    stop.set()


if __name__ == "__main__":
    main()
