from __future__ import annotations

import msgspec
import pytest
from tests.contract.providers.calls import make

from calibrant.types.reply import Usage

ANSWER = b'{"choices":[{"message":{"content":"Hi"}%s}]%s}'


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("stop_sequence", "stop_sequence"),
        ("length", "length"),
        ("model_length", "length"),
        ("tool_calls", "tool_call"),
        ("function_call", "tool_call"),
        ("content_filter", "content_filter"),
        ("error", "unknown"),
        ("", "unknown"),
        (None, None),
    ],
)
def test_finish_reasons(word: str | None, reason: str | None) -> None:
    field = b',"finish_reason":' + msgspec.json.encode(word)
    assert make("openai").decode(200, (), ANSWER % (field, b"")).finish_reason == reason


def test_a_bare_answer_is_enough() -> None:
    reply = make("openai").decode(200, (), ANSWER % (b"", b""))
    assert reply.usage == Usage()
    assert (reply.model, reply.fingerprint, reply.request_id, reply.finish_reason) == (None, None, None, None)


def test_the_request_id_is_the_body_s_or_the_header_s() -> None:
    headers = (("date", "x"), ("x-request-id", "req_1"))
    assert make("openai").decode(200, headers, ANSWER % (b"", b',"id":"a"')).request_id == "a"
    assert make("openai").decode(200, headers, ANSWER % (b"", b',"id":""')).request_id == "req_1"


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (b'{"prompt_tokens":3,"completion_tokens":null}', Usage(input_tokens=3)),
        (b'{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3}', Usage(input_tokens=3, output_tokens=0)),
        (b'{"prompt_tokens":"3"}', Usage()),
        (b"[]", Usage()),
        (
            b'{"prompt_tokens":9,"completion_tokens":4,"reasoning_tokens":2,"total_tokens":13}',
            Usage(input_tokens=9, output_tokens=4, reasoning_tokens=2),
        ),
        (
            b'{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":5,"cache_write_tokens":1}}',
            Usage(input_tokens=9, cache_read_tokens=5, cache_write_tokens=1),
        ),
        (b'{"prompt_tokens":9,"prompt_tokens_details":null}', Usage(input_tokens=9)),
    ],
)
def test_usage_is_null_where_it_is_unknown_and_kept_as_it_came(raw: bytes, usage: Usage) -> None:
    found = make("openai").decode(200, (), ANSWER % (b"", b',"usage":' + raw)).usage
    assert found.raw == raw
    assert msgspec.structs.replace(found, raw=b"") == usage


def test_null_usage_is_no_usage() -> None:
    assert make("openai").decode(200, (), ANSWER % (b"", b',"usage":null')).usage == Usage()


def test_fields_that_nobody_knows_are_skipped() -> None:
    body = ANSWER % (b',"logprobs":{"x":[1]},"native_finish_reason":"STOP"', b',"citations":["a"],"error":null')
    assert make("openai").decode(200, (), body).content[0].text == "Hi"
