import msgspec
import pytest
from msgspec import Raw

from calibrant.providers.responses_verbatim import as_written
from calibrant.types.request import Verbatim


def sent(made, written, *, items=(), prior=(), **fields):
    raw = {name: Raw(msgspec.json.encode(value)) for name, value in written.items()}
    written_items = None if items is None else tuple(Raw(msgspec.json.encode(item)) for item in items)
    body = {"model": "m", "input": ["made"], **made}
    verbatim = Verbatim(raw, written_items, **fields)
    return msgspec.json.decode(as_written(msgspec.json.encode(body), verbatim, list(prior)))


def test_the_callers_fields_take_the_place_of_what_was_made_of_them():
    body = sent(
        {"temperature": 0.5, "top_p": 0.1, "instructions": "made"},
        {"model": "asked", "temperature": 1, "new": [None], "background": False, "instructions": "i"},
        items=["written"],
    )
    assert body == {
        "model": "m", "input": ["written"], "temperature": 1, "top_p": 0.1, "new": [None], "instructions": "i"
    }  # fmt: skip


def test_what_was_not_parsed_keeps_its_letters():
    raw = Verbatim({"a": Raw(b'{"n":1.50,"u":"\\u00e9"}')}, (Raw(b'{"x": 1e2}'),))
    assert as_written(b'{"model":"m","input":[]}', raw, []) == (
        b'{"model":"m","input":[{"x": 1e2}],"a":{"n":1.50,"u":"\\u00e9"}}'
    )


def test_what_is_recorded_comes_first():
    body = sent({}, {}, items=["new"], prior=["old"], carried="stay")
    assert body["input"] == [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "stay"}]},
        "old",
        "new",
    ]


def test_what_templates_made_stays():
    body = sent({"instructions": "made"}, {"instructions": "written"}, items=None)
    assert (body["input"], body["instructions"]) == (["made"], "made")


@pytest.mark.parametrize(
    ("made", "written", "overridden", "expected"),
    [
        ({"text": {"format": 1}}, {"text": {"verbosity": 2}}, (), {"text": {"format": 1, "verbosity": 2}}),
        ({"text": {"format": 1}}, {"text": {"format": 2}}, (), {"text": {"format": 2}}),
        ({"text": {"format": 1}}, {"text": {"format": 2}}, ("text.format",), {"text": {"format": 1}}),
        ({"text": {"format": 1}}, {"text": None}, (), {"text": {"format": 1}}),
        ({"temperature": 1}, {"temperature": 2}, ("temperature",), {"temperature": 1}),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}},
            {"reasoning": {"effort": "low"}},
            (),
            {"reasoning": {"effort": "low"}},
        ),
        ({"include": ["a"]}, {"include": ["b", "a"]}, (), {"include": ["b", "a"]}),
        ({"include": ["a"]}, {"include": ["b"]}, (), {"include": ["b", "a"]}),
        ({"store": False}, {"store": True}, (), {"store": False}),
        ({}, {"store": True, "stream": False}, (), {"store": True, "stream": False}),
        ({"stream": True}, {"stream": True}, (), {"stream": True}),
        ({}, {"stream": True}, (), {}),
        (
            {"tools": [{"name": "t", "made": 1}, {"name": "configured"}, {"type": "web_search"}]},
            {"tools": [{"name": "t", "written": 1}, {"type": "mcp"}]},
            (),
            {"tools": [{"name": "configured"}, {"type": "web_search"}, {"name": "t", "written": 1}, {"type": "mcp"}]},
        ),
    ],
)
def test_fields_that_both_may_fill(made, written, overridden, expected):
    body = sent(made, written, overridden=frozenset(overridden))
    assert body == {"model": "m", "input": [], **expected}
