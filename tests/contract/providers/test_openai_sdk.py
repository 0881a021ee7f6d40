"""OpenAI's own SDK as the judge: it sends what we send, and its types read what our fixtures say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.contract.providers import calls
from tests.contract.providers.answers import ANSWERS, Answer
from tests.contract.providers.calls import PERSON, WEATHER_SCHEMA, make

from calibrant.config.secret import Secret
from calibrant.types.call import ModelCall

HELLO = [{"role": "user", "content": "Hello"}]
_TEXT = next(answer for answer in ANSWERS if answer.name == "text")


class _Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        stream = b'"stream":true' in body.replace(b" ", b"")
        answer = _TEXT.stream() if stream else _TEXT.whole()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if stream else "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    handler = type("Handler", (_Handler,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", handler.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_FUNCTION = {
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": WEATHER_SCHEMA,
    "strict": True,
}
_CLOCK = {"name": "get_time", "description": "The time of day", "parameters": calls.CLOCK.parameters}
_TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "Weather in Rome and Oslo?"},
    {
        "role": "assistant",
        "content": "Let me look.",
        "tool_calls": [
            {"id": i, "type": "function", "function": {"name": "get_weather", "arguments": f'{{"city":"{c}"}}'}}
            for i, c in (("call_rome", "Rome"), ("call_oslo", "Oslo"))
        ],
    },
    {"role": "tool", "tool_call_id": "call_rome", "content": "sunny"},
    {"role": "tool", "tool_call_id": "call_oslo", "content": "rain"},
    {"role": "user", "content": "And?"},
]
CASES: dict[str, tuple[ModelCall, dict[str, Any]]] = {
    "plain": (calls.PLAIN, {"messages": HELLO}),
    "stream": (calls.STREAM, {"messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}),
    "params": (
        calls.PARAMS,
        {
            "messages": HELLO,
            "temperature": 0.5,
            "max_completion_tokens": 100,
            "seed": 7,
            "top_p": 0.9,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "stop": ["END"],
            "reasoning_effort": "high",
            "service_tier": "flex",
            "verbosity": "low",
        },
    ),
    "tools": (
        calls.TOOLS,
        {
            "messages": HELLO,
            "tools": [{"type": "function", "function": _FUNCTION}, {"type": "function", "function": _CLOCK}],
            "tool_choice": "required",
            "parallel_tool_calls": False,
        },
    ),
    "talk": (calls.TALK, {"messages": _TALK}),
    "schema": (
        calls.JSON_STRICT,
        {
            "messages": HELLO,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "response", "strict": True, "schema": PERSON},
            },
        },
    ),
    "images": (
        calls.IMAGE,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
                        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,aGk="}},
                    ],
                }
            ]
        },
    ),
}


def test_the_sdk_sends_what_we_send() -> None:
    with listening() as (base, seen), openai.OpenAI(base_url=base, api_key="sk-test", max_retries=0) as client:
        made = make("openai", api_base=base)
        for name, (call, arguments) in CASES.items():
            answer = client.chat.completions.create(model="the-model", **arguments)
            if call.stream:
                list(answer)
            path, headers, body = seen[-1]
            ours = made.sign(made.encode(call), Secret("sk-test"), 0.0)
            assert ours.url == base.removesuffix("/v1") + path, name
            assert msgspec.json.decode(ours.body) == msgspec.json.decode(body), name
            for field, value in ours.headers:
                assert headers[field] == value, name
        assert len(seen) == len(CASES)


READABLE = [answer for answer in ANSWERS if answer.openai_types]


@pytest.mark.parametrize("answer", READABLE, ids=lambda answer: answer.name)
def test_the_sdk_reads_the_fixtures(answer: Answer) -> None:
    whole = ChatCompletion.model_validate_json(answer.whole())
    reply = make(answer.kind, **answer.options).decode(200, (), answer.whole())
    assert whole.id == reply.request_id and whole.model == reply.model
    assert whole.usage is not None and whole.usage.prompt_tokens == reply.usage.input_tokens
    for chunk in answer.chunks():
        ChatCompletionChunk.model_validate(chunk)


def test_the_sdk_reads_the_stream_as_we_do() -> None:
    with listening() as (base, _), openai.OpenAI(base_url=base, api_key="k", max_retries=0) as client:
        theirs = list(client.chat.completions.create(model="m", messages=HELLO, stream=True))
    decoder = make("openai").decoder()
    ours = decoder.feed(_TEXT.stream()) + decoder.close()
    assert len(theirs) == len(ours)
    text = "".join(c.choices[0].delta.content or "" for c in theirs if c.choices)
    assert text == "".join(d.text for chunk in ours for d in chunk.content)
