"""An answer in pieces, however it is cut, is the answer in one."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.engine import Answer, Line, event, function, model, said, variant

from calibrant.types.reply import fold
from calibrant.types.tool import Tool

TOOL = Tool("weather", "", {"type": "object", "required": ["city"]})
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
ARGUMENTS = st.sampled_from(['{"city": "Rome"}', "{}", '{"city"', ""])
CALLS = st.lists(st.tuples(st.sampled_from(["weather", "nope"]), ARGUMENTS), max_size=2)
FINISH = st.sampled_from(["stop", "length", "tool_calls", "content_filter", "odd"])
KINDS = {
    "chat": function(name="f"),
    "json": function(variant(extra='json_mode = "on"'), name="f", kind="json"),
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine")
    return {kind: Line(folder, model() + toml) for kind, toml in KINDS.items()}


def pieces(draw, text):
    """The text, cut at random."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def events(draw, thought, text, calls, finish, usage):
    """The same answer as a provider streams it."""
    found = [event({"role": "assistant", "content": ""})]
    found += [event({"reasoning_content": piece}) for piece in pieces(draw, thought)]
    found += [event({"content": piece}) for piece in pieces(draw, text)]
    for i, (name, arguments) in enumerate(calls):
        opening = {"index": i, "id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": ""}}
        found.append(event({"tool_calls": [opening]}))
        for piece in pieces(draw, arguments):
            found.append(event({"tool_calls": [{"index": i, "function": {"arguments": piece}}]}))
    return b"".join([*found, event({}, finish=finish), event(usage=usage), b"data: [DONE]\n\n"])


@given(st.data(), st.sampled_from(sorted(KINDS)), TEXT, TEXT, CALLS, FINISH, st.booleans())
@settings(max_examples=150)
def test_folded_chunks_are_the_whole_answer(lines, data, kind, thought, text, calls, finish, json_text):
    line = lines[kind]
    if json_text:
        text = msgspec.json.encode({"said": text}).decode()
    fields = {} if kind == "json" else {"tools": (TOOL,)}
    whole = said(text, calls=calls, finish=finish)
    whole["choices"][0]["message"]["reasoning_content"] = thought
    stream = events(data.draw, thought, text, calls, finish, whole["usage"])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    cut = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    line.sender.steps = [whole, Answer(*cut)]

    answered = line.infer(**fields)
    streamed, chunks = line.stream(**fields)

    assert streamed.error is None
    for name in ("content", "raw", "finish_reason", "usage"):
        assert getattr(streamed.answered, name) == getattr(answered, name), name
    assert msgspec.json.encode(streamed.answered.parsed) == msgspec.json.encode(answered.parsed)
    assert line.records[-3].inference.output == line.row.output
    if kind == "json":
        assert "".join(delta.text for chunk in chunks for delta in chunk.content) == (answered.raw or "")
    else:
        assert fold(chunks).content == fold(streamed._seen).content
    line.records.clear()
