"""The fake Anthropic, judged by Anthropic's own SDK."""

from __future__ import annotations

import anthropic
import pytest

from calibrant.testing.faults import Answer, Pace, Script, Tokens, ToolUse
from calibrant.testing.upstream import run_upstream

HELLO = [{"role": "user", "content": "Hello there"}]


@pytest.fixture(scope="module")
def upstream():
    with run_upstream() as up:
        yield up


@pytest.fixture(scope="module")
def client(upstream):
    with anthropic.Anthropic(base_url=upstream.origin, api_key="k", max_retries=0) as made:
        yield made


def both(client, **fields):
    """Return the message, asked for whole and streamed."""
    asked = {"model": "fake", "max_tokens": 10, "messages": HELLO, **fields}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        return whole, stream.get_final_message()


def test_an_echo(upstream, client):
    upstream.playbook.default = Script(Answer(tokens=Tokens(prompt=10, completion=4, cached=3)))
    for said in both(client):
        assert [block.text for block in said.content] == ["Hello there"]
        assert said.stop_reason == "end_turn"
        assert (said.usage.input_tokens, said.usage.cache_read_input_tokens, said.usage.output_tokens) == (7, 3, 4)


def test_thinking_and_a_call(upstream, client):
    call = ToolUse(name="get_weather", arguments='{"city":"Rome"}')
    upstream.playbook.default = Script(Answer(text="Look.", reasoning="Hm.", tool_calls=(call,)))
    for said in both(client):
        thinking, text, used = said.content
        assert (thinking.thinking, text.text, used.name, used.input) == (
            "Hm.",
            "Look.",
            "get_weather",
            {"city": "Rome"},
        )
        assert thinking.signature and said.stop_reason == "tool_use"


def test_a_paced_text_comes_in_its_pieces(upstream, client):
    upstream.playbook.default = Script(Answer(text="abcdef"), pace=Pace(chunks=3))
    with client.messages.stream(model="fake", max_tokens=10, messages=HELLO) as stream:
        assert [event.text for event in stream if event.type == "text"] == ["ab", "cd", "ef"]


@pytest.mark.parametrize(("status", "kind"), [(429, anthropic.RateLimitError), (503, anthropic.InternalServerError)])
def test_an_error_status(upstream, client, status, kind):
    upstream.playbook.default = Script(status=status)
    with pytest.raises(kind):
        client.messages.create(model="fake", max_tokens=10, messages=HELLO)


def test_an_error_event(upstream, client):
    upstream.playbook.default = Script(Answer(text="a b c d"), fault="error_event")
    with (
        pytest.raises(anthropic.APIStatusError, match="api_error"),
        client.messages.stream(model="fake", max_tokens=10, messages=HELLO) as stream,
    ):
        stream.get_final_message()
