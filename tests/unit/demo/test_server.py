"""The server: OpenAI's client is served, and bad input gets an answer."""

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import openai
import pytest

from calibrant.base.errors import ConfigError
from calibrant.demo.server import Settings, serve, serve_in_thread

SENTENCE = "Ada Lindqvist flew from Oslo to Kyoto."


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread() as found:
        yield found


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=20) as found:
        yield found


def ask(client: openai.OpenAI, model: str, text: str, **fields):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **fields)


def exchange(url: str, data: bytes, *, close: bool = False) -> bytes:
    """Send raw bytes and return all that comes back before the server closes or falls silent."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        sock.sendall(data)
        if close:
            sock.shutdown(socket.SHUT_WR)
        found = b""
        while chunk := sock.recv(1 << 16):
            found += chunk
        return found


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["assistant", "gazetteer", "perceptron"]


@pytest.mark.parametrize("model", ["gazetteer", "perceptron"])
def test_a_tagger_answers_with_json(client: openai.OpenAI, model: str) -> None:
    answer = ask(client, model, SENTENCE, response_format={"type": "json_object"})
    found = msgspec.json.decode(answer.choices[0].message.content)
    assert list(found) == ["person", "organization", "location", "miscellaneous"]
    assert found["location"] == ["Oslo", "Kyoto"]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 7


def test_the_assistant_answers_in_words_or_in_json(client: openai.OpenAI) -> None:
    words = ask(client, "assistant", "What is 6 times 7?").choices[0].message.content
    assert words == "6 * 7 = 42"
    text = ask(client, "assistant", "6*7", response_format={"type": "json_object"}).choices[0].message.content
    assert msgspec.json.decode(text) == {"answer": "6*7 = 42"}


def test_a_stream_says_the_same_and_ends_with_usage(client: openai.OpenAI) -> None:
    whole = ask(client, "assistant", "What is Calibrant?").choices[0].message.content
    chunks = list(ask(client, "assistant", "What is Calibrant?", stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole
    assert len(chunks) > 20
    assert chunks[-1].usage.completion_tokens == len(whole.split())


def test_a_temperature_samples_unless_a_seed_is_given(client: openai.OpenAI) -> None:
    def sample(**fields) -> str:
        return ask(client, "perceptron", SENTENCE, temperature=2, **fields).choices[0].message.content

    assert sample(seed=-3) == sample(seed=-3)
    assert len({sample() for _ in range(12)}) > 1


def test_an_unknown_model_is_a_404_in_openais_shape(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-5': the models here are") as caught:
        ask(client, "gpt-5", "hi")
    assert caught.value.code == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/health", b"", 200),
        ("GET", "/nowhere", b"", 404),
        ("GET", "/v1/chat/completions", b"", 405),
        ("POST", "/v1/models", b"", 405),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions?x=1", b'{"model":"assistant","messages":[]}', 400),
        ("POST", "/v1/chat/completions", b" " * (2 << 20), 413),
    ],
)
def test_every_request_gets_an_answer(url: str, method: str, path: str, body: bytes, status: int) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        answer = msgspec.json.decode(response.read())
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413  # The server may hang up while the rest of the body is still on its way.
        return
    finally:
        connection.close()
    assert response.status == status
    assert status == 200 or set(answer["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"400",
        ),
        (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, b"431"),
        (b"\x16\x03\x01\x02\x00", b"400"),
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_closed(url: str, data: bytes, status: bytes) -> None:
    assert exchange(url, data).split()[1] == status


def test_requests_in_one_packet_are_answered_in_order(url: str) -> None:
    get = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    found = exchange(url, get % b"/v1/models" + get % b"/nowhere" + last)
    assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"200", b"404", b"200"]


def test_a_client_that_waits_for_leave_gets_it(url: str) -> None:
    body = b'{"model":"assistant","messages":[{"role":"user","content":"1+1"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\n"
    head += b"Content-Length: %d\r\n\r\n"
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        sock.sendall(head % len(body))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert sock.recv(9000).startswith(b"HTTP/1.1 200 OK")


def test_a_stream_over_http_1_0_has_no_chunks(url: str) -> None:
    body = b'{"model":"assistant","stream":true,"messages":[{"role":"user","content":"1+1"}]}'
    found = exchange(url, b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    head, _, events = found.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert events.startswith(b"data: {")
    assert events.endswith(b"data: [DONE]\n\n")


def test_a_client_that_leaves_early_harms_nobody(url: str, client: openai.OpenAI) -> None:
    exchange(url, b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 100\r\n\r\n{", close=True)
    assert ask(client, "assistant", "1+1").choices[0].message.content == "1+1 = 2"


def test_the_port_is_open_before_the_models_have_learned() -> None:
    async def scenario() -> None:
        async with serve(Settings(train_rows=300)) as url:
            client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
            async with client:
                assert len((await client.models.list()).data) == 3
                answer = await client.chat.completions.create(
                    model="gazetteer", messages=[{"role": "user", "content": SENTENCE}]
                )
                assert "Oslo" in answer.choices[0].message.content

    asyncio.run(scenario())


def test_a_file_that_is_missing_or_a_port_that_is_taken_stops_the_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"), serve_in_thread(Settings(tmp_path / "none.csv")):
        pass
    with (
        pytest.raises(ConfigError, match="cannot listen"),
        serve_in_thread(Settings(port=urlsplit(url).port)),
    ):
        pass


def test_a_file_that_is_no_corpus_fails_each_request(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with serve_in_thread(Settings(tmp_path / "bad.csv")) as url:
        client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
        with client, pytest.raises(openai.InternalServerError, match="not a corpus"):
            ask(client, "gazetteer", "x")


def test_the_command_says_where_it_serves_and_stops_when_told() -> None:
    command = [sys.executable, "-m", "calibrant.demo.server", "--port", "0", "--train-rows", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        url = line.split()[-1]
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=15) == 0
        assert process.stderr.read() == ""


def test_the_command_refuses_a_missing_file_in_a_sentence() -> None:
    command = [sys.executable, "-m", "calibrant.demo.server", "--data", "none.csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr == "none.csv: no such file. Name a CSV file, or none for the built-in sample.\n"
