"""The shapes of chat completions."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.base.errors import InvalidRequest
from calibrant.demo.completion import MAX_TEXT, Completion, complete, decode, encode, stream


def request(**fields: object) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "a b"}], **fields})


def completion(text: str, **fields: object) -> Completion:
    return complete(decode(request(**fields)), text, id="1", created=7)


def test_the_text_is_that_of_the_last_user_message_in_either_form() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "image_url"}, {"type": "text", "text": "two"}]
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None},
    ]
    assert decode(request(messages=messages)).text == "one two"
    assert decode(request(messages=[{"role": "system", "content": "x"}])).text == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"model": 1, "messages": []}',
        b'{"model": "m"}',
        request(messages=[]),
        request(temperature=3),
        request(temperature=-0.1),
        request(max_tokens=0),
        request(seed="x"),
        request(messages=[{"role": "user", "content": "x" * (MAX_TEXT + 1)}]),
        b'{"model": "\xff", "messages": [{"role": "user"}]}',
        b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "m", "messages": [{"role": "user"}], "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_cannot_be_served_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode(body)


def test_what_a_small_model_has_no_use_for_is_ignored() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    found = decode(request(response_format=schema, tools=[{"type": "function"}], top_p=0.5, stop=["x"]))
    assert found.wants_json
    assert not decode(request(response_format={"type": "text"})).wants_json


def test_tokens_are_counted_as_said_and_a_limit_cuts() -> None:
    whole = completion("one two  three\n")
    assert whole.usage == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert (whole.text, whole.finish) == ("one two  three\n", "stop")
    cut = completion("one two  three\n", max_tokens=3, max_completion_tokens=2)
    assert (cut.text, cut.finish, cut.completion_tokens) == ("one two", "length", 2)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_a_stream_says_what_the_whole_answer_says(text: str) -> None:
    answer = completion(text)
    assert msgspec.json.decode(encode(answer))["choices"][0]["message"]["content"] == answer.text
    events = list(stream(answer, usage=True))
    assert events[-1] == b"data: [DONE]\n\n"
    chunks = [msgspec.json.decode(event[6:]) for event in events[:-1]]
    deltas = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1]]
    assert "".join(deltas) == answer.text
    assert chunks[-1]["usage"] == answer.usage
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert answer.text == text or not text.strip()
