"""The provider's side of a chat completion: what is said whole is what is said in pieces."""

from __future__ import annotations

import msgspec
import pytest

from calibrant.testing.completion import completion, decode_request, error_body, events
from calibrant.testing.faults import Answer, Pace, Script, Tokens, ToolUse

ASK = {
    "model": "m",
    "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello wörld"}],
}


def request(**fields):
    return decode_request(msgspec.json.encode({**ASK, **fields}))


def message(answer):
    return msgspec.json.decode(completion(request(), answer, 1))["choices"][0]["message"]


def stream(script, **fields):
    steps = list(events(request(stream=True, **fields), script, 1, lambda: 42))
    data = [msgspec.json.decode(step.removeprefix(b"data: ")) for step in steps if isinstance(step, bytes)]
    return steps, data


def deltas(script, key):
    _, data = stream(script)
    return [c["choices"][0]["delta"][key] for c in data if c["choices"] and c["choices"][0]["delta"].get(key)]


def test_echo_takes_the_last_user_message_in_either_shape():
    assert message(Answer())["content"] == "hello wörld"
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "b"},
    ]
    asked = request(messages=[{"role": "user", "content": parts}, {"role": "assistant", "content": "no"}])
    assert asked.echo() == "ab"
    assert request(messages=[]).echo() == ""


@pytest.mark.parametrize("chunks", [0, 1, 3, 40])
def test_pieces_add_up_to_the_whole(chunks):
    script = Script(pace=Pace(chunks=chunks))
    assert "".join(deltas(script, "content")) == message(script.answer)["content"]
    count = sum("content" in c["choices"][0]["delta"] for c in stream(script)[1]) - 1
    assert count == (chunks or 2)


def test_parallel_tool_calls_whole_and_in_pieces():
    calls = (ToolUse("get_temperature", '{"city":"Oslo"}'), ToolUse("get_time", "{not json", id="own"))
    whole = message(Answer(tool_calls=calls))
    assert whole["content"] is None
    expected = [("call_0", "get_temperature", '{"city":"Oslo"}'), ("own", "get_time", "{not json")]
    assert [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in whole["tool_calls"]] == expected
    built: dict[int, list[str]] = {}
    for (delta,) in deltas(Script(answer=Answer(tool_calls=calls)), "tool_calls"):
        function = delta["function"]
        if "id" in delta:
            built[delta["index"]] = [delta["id"], function["name"], ""]
        built[delta["index"]][2] += function["arguments"]
    assert [tuple(call) for call in built.values()] == expected


def test_reasoning_and_finish_reason():
    answer = Answer(text="42", reasoning="let me think", finish_reason="length")
    assert message(answer)["reasoning_content"] == "let me think"
    assert "".join(deltas(Script(answer=answer), "reasoning_content")) == "let me think"
    assert stream(Script(answer=answer))[1][-1]["choices"][0]["finish_reason"] == "length"


def test_usage_in_a_stream_only_when_asked():
    tokens = Tokens(prompt=7, completion=5, cached=3, reasoning=2)
    script = Script(answer=Answer(tokens=tokens))
    assert all("usage" not in chunk for chunk in stream(script)[1])
    last = stream(script, stream_options={"include_usage": True})[1][-1]
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert "usage" not in msgspec.json.decode(completion(request(), Answer(tokens=None), 1))


def test_stamps_and_waits():
    steps, data = stream(Script(pace=Pace(chunks=3, interval_s=0.5, stamp=True)))
    assert [step for step in steps if isinstance(step, float)] == [0.5, 0.5]
    assert [c["choices"][0]["delta"].get("content") for c in data[1:4]] == ["@42;"] * 3


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": []}', b'{"model": 1, "messages": []}', b'"\xff"'])
def test_what_is_no_request_is_refused(body):
    with pytest.raises(ValueError, match=r"."):
        decode_request(body)


def test_errors_have_the_providers_shape():
    assert msgspec.json.decode(error_body(429))["error"]["type"] == "rate_limit_error"
    assert msgspec.json.decode(error_body(599, "custom"))["error"]["message"] == "custom"
