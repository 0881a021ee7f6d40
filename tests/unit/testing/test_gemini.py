"""The fake Gemini, judged by Google's own SDK."""

from __future__ import annotations

import pytest
from google import genai
from google.genai import errors, types

from calibrant.testing.faults import Answer, Pace, Script, Tokens, ToolUse
from calibrant.testing.gemini import asked_of_gemini
from calibrant.testing.upstream import run_upstream


@pytest.fixture(scope="module")
def upstream():
    with run_upstream() as up:
        yield up


@pytest.fixture(scope="module")
def client(upstream):
    with genai.Client(api_key="k", http_options=types.HttpOptions(base_url=upstream.origin)) as made:
        yield made.models


def both(client):
    """Return the parts and the usage of an answer, asked for whole and streamed."""
    whole = client.generate_content(model="fake", contents="Hello there")
    streamed = list(client.generate_content_stream(model="fake", contents="Hello there"))
    pieces = [part for answer in streamed for part in answer.candidates[0].content.parts or ()]
    return (whole.candidates[0].content.parts, whole.usage_metadata), (pieces, streamed[-1].usage_metadata)


def test_an_echo(upstream, client):
    upstream.playbook.default = Script(Answer(tokens=Tokens(prompt=10, completion=4, cached=3, reasoning=1)))
    for parts, usage in both(client):
        assert "".join(part.text for part in parts) == "Hello there"
        counts = (usage.prompt_token_count, usage.cached_content_token_count, usage.candidates_token_count)
        assert counts == (10, 3, 3)
        assert usage.thoughts_token_count == 1


def test_a_thought_and_calls(upstream, client):
    calls = (ToolUse(name="weather", arguments='{"city":"Rome"}'), ToolUse(name="clock", id="c2"))
    upstream.playbook.default = Script(Answer(text="Look", reasoning="Hm.", tool_calls=calls))
    for parts, _ in both(client):
        thought, text, first, second = parts
        assert (thought.text, thought.thought, text.text) == ("Hm.", True, "Look")
        assert (first.function_call.name, first.function_call.args) == ("weather", {"city": "Rome"})
        assert first.thought_signature and not second.thought_signature
        assert (second.function_call.name, second.function_call.id) == ("clock", "c2")


def test_a_paced_text_comes_in_its_pieces(upstream, client):
    upstream.playbook.default = Script(Answer(text="abcdef"), pace=Pace(chunks=3))
    streamed = client.generate_content_stream(model="fake", contents="?")
    assert [each.text for each in streamed if each.text] == ["ab", "cd", "ef"]


def test_an_error(upstream, client):
    upstream.playbook.default = Script(status=429)
    with pytest.raises(errors.ClientError, match="RESOURCE_EXHAUSTED"):
        client.generate_content(model="fake", contents="?")


def test_what_is_no_request():
    with pytest.raises(ValueError, match="contents"):
        asked_of_gemini(b"/v1beta/models/fake:generateContent", b"{}")
