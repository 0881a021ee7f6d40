"""The fake provider over real sockets: every fault, as a client that trusts nothing sees it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import signal
import socket
import ssl
import subprocess
import sys
import time
from typing import get_args

import msgspec
import pytest
import trustme

from calibrant.testing.faults import Answer, Fault, Latency, Pace, Script
from calibrant.testing.upstream import Upstream, run_upstream


def body(model="m", text="hello wörld", **fields):
    return msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": text}], **fields})


def raw_request(payload, path="/v1/chat/completions", method="POST"):
    fields = ("Host: x", "Authorization: Bearer key", f"Content-Length: {len(payload)}", "", "")
    return "\r\n".join((f"{method} {path} HTTP/1.1", *fields)).encode() + payload


def converse(up, payload, *, patience=5.0):
    """Return the bytes until the peer closes, and how it ended: closed, reset or silent."""
    received = b""
    with socket.create_connection(("127.0.0.1", up.port), timeout=patience) as sock:
        sock.sendall(raw_request(payload))
        while True:
            try:
                data = sock.recv(65536)
            except ConnectionResetError:
                return received, "reset"
            except TimeoutError:
                return received, "silent"
            if not data:
                return received, "closed"
            received += data


def ask(up, payload, path="/v1/chat/completions", method="POST"):
    """Return status, headers and body of one well-formed exchange."""
    connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=5)
    try:
        connection.request(method, path, payload, {"authorization": "Bearer key"})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def content(answer):
    return msgspec.json.decode(answer)["choices"][0]["message"]["content"]


def data_lines(stream):
    return [line.removeprefix(b"data: ") for line in stream.split(b"\n\n") if line]


@pytest.fixture(scope="module")
def up():
    with run_upstream() as upstream:
        yield upstream


def test_a_plain_answer_echoes_and_is_captured():
    with run_upstream() as up:
        status, headers, answer = ask(up, body(), path="/any/prefix/chat/completions?x=1")
        assert (status, content(answer)) == (200, "hello wörld")
        assert headers["x-request-id"] == "req-1"
        (seen,) = up.captured
        assert (seen.method, seen.path) == ("POST", "/any/prefix/chat/completions")
        assert seen.header("authorization") == "Bearer key"
        assert msgspec.json.decode(seen.body)["model"] == "m"


def test_a_stream_ends_with_done(up):
    status, headers, answer = ask(up, body(stream=True))
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert data_lines(answer)[-1] == b"[DONE]"


def test_models_unknown_routes_and_bad_bodies(up):
    assert ask(up, b"", "/v1/models", "GET")[0] == 200
    assert ask(up, b"{}", "/v1/nothing")[0] == 404
    assert ask(up, b"{broken")[0] == 400
    assert ask(up, body("fault:unheard_of"))[0] == 400
    with socket.create_connection(("127.0.0.1", up.port), timeout=5) as sock:
        sock.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert sock.recv(64).startswith(b"HTTP/1.1 400")


def test_keep_alive_and_pipelining_answer_in_order():
    scripts = {"slow": Script(latency=Latency(0.05))}
    with (
        run_upstream(models=scripts) as up,
        socket.create_connection(("127.0.0.1", up.port), timeout=5) as sock,
    ):
        sock.sendall(raw_request(body("slow", "first")) + raw_request(body("m", "second")))
        received = b""
        while received.count(b"total_tokens") < 2:
            received += sock.recv(65536)
        assert received.index(b'"first"') < received.index(b'"second"')
        assert {seen.connection for seen in up.captured} == {1}


def test_error_statuses(up):
    status, headers, answer = ask(up, body("fault:429,retry_after=2"))
    assert (status, headers["retry-after"]) == (429, "2")
    assert msgspec.json.decode(answer)["error"]["type"] == "rate_limit_error"
    assert [ask(up, body(f"fault:{status}", stream=True))[0] for status in (500, 503)] == [500, 503]


@pytest.mark.parametrize(
    ("fault", "end", "begins"),
    [
        ("reset_before_headers", "reset", b""),
        ("reset_after_headers", "reset", b"HTTP/1.1 200 OK"),
        ("reset_mid_body", "reset", b"HTTP/1.1 200 OK"),
        ("truncated", "closed", b"HTTP/1.1 200 OK"),
        ("not_http", "closed", b"\x15\x03\x01"),
        ("length_too_long", "closed", b"HTTP/1.1 200 OK"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_faults_that_end_the_connection(up, fault, end, begins, stream):
    received, how = converse(up, body(f"fault:{fault}", stream=stream))
    assert how == end
    assert received.startswith(begins)
    assert (received == b"") == (begins == b"")
    assert not received.endswith(b"[DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("stream", [False, True])
def test_where_a_fault_strikes_can_be_chosen(up, stream):
    sizes = [len(converse(up, body(f"fault:truncated,after_chunks={n}", stream=stream))[0]) for n in (0, 1, 3)]
    assert sizes == sorted(set(sizes))
    nothing, _ = converse(up, body("fault:reset_mid_body,after_chunks=0", stream=stream))
    assert nothing.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("stream", [False, True])
def test_stalls_keep_the_connection_open(up, stream):
    assert converse(up, body("fault:stall", stream=stream), patience=0.5) == (b"", "silent")
    received, how = converse(up, body("fault:stall_mid_body,after_chunks=1", stream=stream), patience=0.5)
    assert how == "silent"
    assert received.startswith(b"HTTP/1.1 200 OK")


def test_answers_that_are_not_what_was_promised(up):
    status, headers, answer = ask(up, body("fault:html"))
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.startswith(b"<!doctype")
    assert ask(up, body("fault:empty"))[::2] == (200, b"")
    for model in ("fault:malformed_json", "fault:ended_early", "fault:length_too_short"):
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(ask(up, body(model))[2])
    assert "error" in msgspec.json.decode(ask(up, body("fault:error_event"))[2])


def test_faults_inside_a_stream(up):
    def lines(fault):
        status, _, answer = ask(up, body(f"fault:{fault}", stream=True))
        assert status == 200
        return data_lines(answer)

    whole = lines("none")
    assert len(lines("missing_done")) == len(whole) - 1
    assert b"[DONE]" not in lines("missing_done")
    assert len(lines("ended_early,after_chunks=2")) == 2
    assert "error" in msgspec.json.decode(lines("error_event")[2])
    malformed = lines("malformed_json")
    assert malformed[-1] == b"[DONE]"
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(malformed[2])
    assert len(malformed) == len(whole) + 1


def test_slow_answers_come_in_the_end_and_whole(up):
    for fault in ("slow_headers", "slow_body"):
        started = time.monotonic()
        assert content(ask(up, body(f"fault:{fault},delay_s=0.05"))[2]) == "hello wörld"
        assert time.monotonic() - started >= 0.045
        assert data_lines(ask(up, body(f"fault:{fault},delay_s=0.01", stream=True))[2])[-1] == b"[DONE]"


def test_gzip_whole_and_streamed():
    with run_upstream(Script(gzip=True)) as up:
        status, headers, answer = ask(up, body())
        assert (status, headers["content-encoding"]) == (200, "gzip")
        assert content(gzip.decompress(answer)) == "hello wörld"
        _, headers, answer = ask(up, body(stream=True))
        assert headers["content-encoding"] == "gzip"
        assert data_lines(gzip.decompress(answer))[-1] == b"[DONE]"


def test_scripts_are_chosen_by_queue_then_model_then_default():
    said = lambda text: Script(answer=Answer(text=text))  # noqa: E731
    with run_upstream(said("default"), models={"own": said("model")}) as up:
        up.playbook.queue.append(said("queued"))
        answers = [content(ask(up, body(model))[2]) for model in ("own", "own", "other")]
    assert answers == ["queued", "model", "default"]


def test_another_process_can_script_and_read_over_http(up):
    orders = {"queue": [{"status": 503}], "models": {"x": {"answer": {"text": "hi"}}}}
    assert ask(up, msgspec.json.encode(orders), "/__script")[0] == 200
    assert ask(up, b"", "/__requests", "DELETE")[0] == 200
    assert ask(up, msgspec.json.encode(orders), "/__script")[0] == 200
    assert [ask(up, body("x"))[0] for _ in range(2)] == [503, 200]
    report = msgspec.json.decode(ask(up, b"", "/__requests", "GET")[2])
    assert report["requests"] == 2
    assert [c["connection"] for c in report["captured"]] == sorted(c["connection"] for c in report["captured"])
    assert dict(report["captured"][0]["headers"])["authorization"] == "Bearer key"
    assert ask(up, b'{"defualt": {}}', "/__script")[0] == 400


def test_a_client_that_leaves_early_is_counted():
    with run_upstream(Script(pace=Pace(chunks=100, interval_s=0.05))) as up:
        with socket.create_connection(("127.0.0.1", up.port), timeout=5) as sock:
            sock.sendall(raw_request(body(stream=True)))
            sock.recv(64)
        deadline = time.monotonic() + 5
        while not up.playbook.abandoned and time.monotonic() < deadline:
            time.sleep(0.01)
        assert up.playbook.abandoned == 1


def test_refusing_keeps_the_port_and_drops_connections():
    with run_upstream() as up:
        port = up.port
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            up.run(up.refuse())
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            ask(up, body())
        up.run(up.accept())
        assert up.port == port
        assert ask(up, body())[0] == 200


def test_refusing_for_a_while_over_http(up):
    assert ask(up, b'{"refuse_s": 0.5}', "/__script")[0] == 200
    refused = False
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            status = ask(up, body())[0]
        except OSError:
            refused = True
            time.sleep(0.02)
            continue
        if refused:
            break
    assert refused
    assert status == 200


def test_in_the_tests_own_loop_and_with_tls():
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)

    async def scenario():
        async with Upstream(ssl_context=server) as up:
            assert up.url == f"https://127.0.0.1:{up.port}/v1"
            reader, writer = await asyncio.open_connection("127.0.0.1", up.port, ssl=client)
            writer.write(raw_request(body()))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
            return head

    assert asyncio.run(scenario()).startswith(b"HTTP/1.1 200 OK")


def test_equal_seeds_draw_equal_latencies():
    def draws(seed):
        playbook = Upstream(seed=seed).playbook
        return [playbook.wait(Script(latency=Latency(0.1, 0.4))) for _ in range(5)]

    assert draws(3) == draws(3) != draws(4)


def test_every_fault_leaves_the_server_well(up):
    for fault in get_args(Fault):
        for stream in (False, True):
            with socket.create_connection(("127.0.0.1", up.port), timeout=5) as sock:
                sock.sendall(raw_request(body(f"fault:{fault},delay_s=0.01", stream=stream)))
    assert content(ask(up, body())[2]) == "hello wörld"


def test_as_a_process():
    command = [sys.executable, "-m", "calibrant.testing.upstream", "--print-port", "--model"]
    command.append('x={"answer":{"text":"from afar"}}')
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("POST", "/chat/completions", body("x"))
            assert content(connection.getresponse().read()) == "from afar"
            connection.close()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
