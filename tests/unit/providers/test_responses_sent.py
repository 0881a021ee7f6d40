import msgspec
import pytest
from msgspec import Raw

from calibrant.config.schema import Credential, Provider
from calibrant.providers.responses_sent import as_sent
from calibrant.types.call import ModelCall
from calibrant.types.content import Text
from calibrant.types.message import Message
from calibrant.types.sent import Sent, SentMessage

PROVIDER = Provider("p", "openai", "m", credential=Credential("none"), options={"api_type": "responses"})
CALL = ModelCall(None, (Message("user", (Text("made"),)),))
MADE = {"type": "message", "role": "user", "content": "made"}


def said(made, written, messages=(), *, added=None, **fields):
    raw = {name: Raw(msgspec.json.encode(value)) for name, value in written.items()}
    came = Sent("openai_responses", "asked", raw, messages, **fields)
    body = msgspec.json.encode({"model": "m", "input": ["made"], **made})
    return msgspec.json.decode(as_sent(PROVIDER, CALL, came, body, added))


def test_the_callers_fields_take_the_place_of_what_was_made_of_them():
    body = said(
        {"temperature": 0.5, "top_p": 0.1, "instructions": "made"},
        {"temperature": 1, "new": [None], "background": False, "instructions": "i"},
        (SentMessage(b'"written"', 0),),
    )
    assert body == {
        "model": "m", "input": ["written"], "temperature": 1, "top_p": 0.1, "new": [None], "instructions": "i"
    }  # fmt: skip


def test_what_was_not_parsed_keeps_its_letters():
    raw = Sent(
        "openai_responses",
        "asked",
        {"a": Raw(b'{"n":1.50,"u":"\\u00e9"}')},
        (SentMessage(b'{"x": 1e2}', 0),),
    )
    assert as_sent(PROVIDER, CALL, raw, b'{"model":"m","input":[]}', None) == (
        b'{"model":"m","input":[{"x": 1e2}],"a":{"n":1.50,"u":"\\u00e9"}}'
    )


def test_what_is_another_now_is_made_once():
    items = (SentMessage(b'"stay"', None), SentMessage(None, 0), SentMessage(None, 0), SentMessage(b'"new"', 1))
    assert said({}, {}, items)["input"] == ["stay", MADE, "new"]


@pytest.mark.parametrize(
    ("written", "added", "expected"),
    [("w", None, "w"), ("w", "JSON.", "w\n\nJSON."), (None, "JSON.", "JSON."), (None, None, None)],
)
def test_instructions_are_the_callers_own_and_what_is_added(written, added, expected):
    body = said({"instructions": "made"}, {"instructions": written}, added=added)
    assert body["instructions"] == expected


def test_instructions_that_templates_made_stay():
    body = said({"instructions": "made"}, {"temperature": 1}, whole_system=False, added="JSON.")
    assert body["instructions"] == "made"


@pytest.mark.parametrize(
    ("made", "written", "expected"),
    [
        ({"text": {"format": 1}}, {"text": {"verbosity": 2}}, {"text": {"format": 1, "verbosity": 2}}),
        ({"text": {"format": 1}}, {"text": {"format": 2}}, {"text": {"format": 2}}),
        ({"text": {"format": 1}}, {"text": None}, {"text": {"format": 1}}),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}},
            {"reasoning": {"effort": "low"}},
            {"reasoning": {"effort": "low"}},
        ),
        ({"include": ["a"]}, {"include": ["b", "a"]}, {"include": ["b", "a"]}),
        ({"include": ["a"]}, {"include": ["b"]}, {"include": ["b", "a"]}),
        ({"store": False}, {"store": True}, {"store": False}),
        ({}, {"store": True, "stream": False}, {"store": True, "stream": False}),
        ({"stream": True}, {"stream": True}, {"stream": True}),
        ({}, {"stream": True}, {}),
        (
            {"tools": [{"name": "t", "made": 1}, {"name": "configured"}, {"type": "web_search"}]},
            {"tools": [{"name": "t", "written": 1}, {"type": "mcp"}]},
            {"tools": [{"name": "configured"}, {"type": "web_search"}, {"name": "t", "written": 1}, {"type": "mcp"}]},
        ),
    ],
)
def test_fields_that_both_may_fill(made, written, expected):
    body = said(made, written)
    assert body == {"model": "m", "input": [], **expected}
