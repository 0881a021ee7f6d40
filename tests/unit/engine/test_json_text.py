"""Which text of an answer is a JSON function's output; and that its stream can be read as it comes, at everybody."""

import jiter
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.providers.cases import Answer
from tests.contract.providers.dialects.all import of
from tests.support.engine import Answer as Streamed
from tests.support.engine import Line, event, function, model, said, variant

from calibrant.engine.json_text import JsonPieces, json_text
from calibrant.types.content import Text, Thought, ToolCall
from calibrant.types.reply import Chunk, TextDelta, ThoughtDelta, ToolCallDelta, fold
from calibrant.wire import native, openai_chat

CALL = ToolCall("1", "nope", '{"b":2}')


@pytest.mark.parametrize(
    ("blocks", "output"),
    [
        ((), None),
        ((CALL,), None),
        ((Text('{"a":1}'),), '{"a":1}'),
        ((Text("Let me see."), Text('{"a":1}')), '{"a":1}'),
        ((Text("Let me see."), Text(" \n[1]")), " \n[1]"),
        ((Text('{"a":1}'), Text("That was it.")), '{"a":1}'),
        ((Text('{"a":1}'), Text('{"a":2}')), '{"a":1}'),
        ((Thought('{"t":1}'), CALL, Text("3")), "3"),
        ((Text("One."), Text("Two.")), "Two."),
        ((Text("One."), Text("")), ""),
    ],
)
def test_which_block_is_the_output(blocks, output):
    assert json_text(blocks) == output


TEXT = st.sampled_from(['{"a":', "1}", "[", " ", "\n", "Well", "`", '"x"', "", "3"])
DELTA = st.one_of(
    st.builds(TextDelta, st.sampled_from("012"), TEXT),
    st.builds(ThoughtDelta, st.just("t"), TEXT),
    st.builds(ToolCallDelta, st.just("c"), TEXT, st.just("nope")),
)
CHUNKS = st.lists(st.builds(Chunk, st.lists(DELTA, max_size=3).map(tuple), finish_reason=st.just("stop")), max_size=8)


@given(CHUNKS)
def test_the_pieces_are_the_whole(chunks):
    pieces = JsonPieces()
    out = [pieces.add(chunk) for chunk in chunks]
    rest = pieces.rest()
    told = [delta for chunk in [*out, *([rest] if rest else [])] for delta in chunk.content]
    assert all(isinstance(delta, TextDelta) and delta.text for delta in told)
    assert "".join(delta.text for delta in told) == (json_text(fold(chunks).content) or "")
    assert [chunk.finish_reason for chunk in out] == [chunk.finish_reason for chunk in chunks]


def test_a_chunk_keeps_what_is_raw_of_it():
    chunk = Chunk((ThoughtDelta("t", "hm"),), None, "stop", b"raw", "m", "f", "r", b"d")
    assert JsonPieces().add(chunk) == msgspec.structs.replace(chunk, content=())


def test_long_prose_is_not_copied_for_each_piece():
    pieces = JsonPieces()
    for _ in range(100_000):
        assert pieces.add(Chunk((TextDelta("0", "word "),))).content == ()
    assert len(pieces.rest().content[0].text) == 500_000


def growing(text):
    """Read every prefix of a JSON text as a reader of a stream would; each extends the one before."""
    before = None
    for end in range(1, len(text) + 1):
        value = jiter.from_json(text[:end].encode(), partial_mode="trailing-strings")
        assert extends(value, before), (before, value)
        before = value
    return before


def extends(value, before):
    match before, value:
        case None, _:
            return True
        case dict(), dict():
            return all(key in value and extends(value[key], old) for key, old in before.items())
        case list(), list():
            return len(value) >= len(before) and all(map(extends, value, before))
        case str(), str():
            return value.startswith(before)
        case _:
            return type(value) is type(before)


JSON_TOOLS = [case for case in of(Answer) if case.json_tool and case.stream is not None and len(case.reply.content) > 0]


def test_every_dialect_has_a_case():
    dialects = {"anthropic", "aws_bedrock", "google_ai_studio_gemini", "openai", "openai (Responses API)"}
    assert dialects <= {case.row for case in JSON_TOOLS}


@pytest.mark.parametrize("case", JSON_TOOLS, ids=str)
def test_the_json_tools_stream_can_be_read_as_it_comes(case):
    decoder = case.made().decoder(json_tool=True)
    chunks = [c for i in range(len(case.stream)) for c in decoder.feed(case.stream[i : i + 1])] + decoder.close()
    pieces = JsonPieces()
    out = [pieces.add(chunk) for chunk in chunks]
    rest = pieces.rest()
    told = "".join(delta.text for c in [*out, *([rest] if rest else [])] for delta in c.content)
    assert told == (json_text(case.reply.content) or "")
    if told:
        assert growing(told) == msgspec.json.decode(told)


LONG = {"name": "Ada é \U0001f600", "tags": ["a", "b"], "in": {"n": [1, {"x": True}], "s": 'q"\\ \n'}}


def anthropic(*blocks, stop="tool_use"):
    """The stream of Anthropic's messages with these blocks, cut small."""

    def line(kind, **fields):
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))

    message = {
        "id": "m", "type": "message", "role": "assistant", "model": "c", "content": [],
        "usage": {"input_tokens": 5, "output_tokens": 1},
    }  # fmt: skip
    out = [line("message_start", message=message)]
    for index, (kind, text) in enumerate(blocks):
        begun = {
            "text": {"type": "text", "text": ""},
            "thinking": {"type": "thinking", "thinking": "", "signature": ""},
            "tool": {"type": "tool_use", "id": f"t{index}", "name": "respond", "input": {}},
        }[kind]
        out.append(line("content_block_start", index=index, content_block=begun))
        named = {
            "text": ("text_delta", "text"),
            "thinking": ("thinking_delta", "thinking"),
            "tool": ("input_json_delta", "partial_json"),
        }[kind]
        for at in range(0, len(text), 3):
            delta = {"type": named[0], named[1]: text[at : at + 3]}
            out.append(line("content_block_delta", index=index, delta=delta))
        out.append(line("content_block_stop", index=index))
    out.append(line("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 9}))
    return Streamed(*out, line("message_stop"))


CLAUDE = """
[models.m]
routing = ["p"]
[models.m.providers.p]
type = "anthropic"
model_name = "claude-sonnet-4-5"
api_base = "http://p.m"
api_key_location = "none"
"""


def raw_of(stream, chunks):
    """What a caller of either dialect puts together of a JSON function's stream."""
    events = native.Events(stream.head)
    data = b"".join(events.chunk(chunk) for chunk in chunks)
    parts = [msgspec.json.decode(part.removeprefix(b"data: ")) for part in data.split(b"\n\n") if part]
    theirs = openai_chat.Events(stream.head)
    data = b"".join(theirs.chunk(chunk) for chunk in chunks)
    deltas = [msgspec.json.decode(part.removeprefix(b"data: ")) for part in data.split(b"\n\n") if part]
    found = "".join(part["raw"] for part in parts)
    assert found == "".join(delta["choices"][0]["delta"].get("content") or "" for delta in deltas)
    assert not any("tool_calls" in delta["choices"][0]["delta"] for delta in deltas)
    return found


@pytest.mark.parametrize("mode", ["off", "on", "strict", "tool"])
@pytest.mark.parametrize("streams", ["openai", "anthropic"])
def test_what_is_streamed_is_the_output_in_every_mode(tmp_path, mode, streams):
    text = msgspec.json.encode(LONG).decode()
    kind = "tool" if mode == "tool" else "text"
    if streams == "anthropic":
        answer = anthropic(("thinking", "Hm."), ("text", "I will answer with JSON."), (kind, text))
    else:
        cut = [text[at : at + 3] for at in range(0, len(text), 3)]
        if mode == "tool":
            opening = {"index": 0, "id": "c", "type": "function", "function": {"name": "respond", "arguments": ""}}
            pieces = [{"content": "I will"}, {"content": " answer."}, {"tool_calls": [opening]}]
            pieces += [{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in cut]
        else:
            pieces = [{"reasoning_content": "Hm."}, *({"content": part} for part in cut)]
        answer = Streamed(*map(event, pieces), event({}, finish="stop"), b"data: [DONE]\n\n")
    toml = (CLAUDE if streams == "anthropic" else model()) + function(
        variant(extra=f'json_mode = "{mode}"'), kind="json"
    )
    it = Line(tmp_path, toml, answer)
    stream, chunks = it.stream(output_schema={"type": "object", "required": ["name"]})
    assert stream.error is None
    assert raw_of(stream, chunks) == stream.answered.raw == text
    assert growing(stream.answered.raw) == LONG
    assert msgspec.json.decode(it.row.output) == {"raw": text, "parsed": LONG}


def test_a_call_of_a_tool_that_nobody_gave_is_no_output(tmp_path):
    toml = model() + function(variant(extra='json_mode = "on"'), kind="json")
    opening = {"index": 0, "id": "c", "type": "function", "function": {"name": "nope", "arguments": '{"b":2}'}}
    answer = Streamed(event({"content": '{"a":1}'}), event({"tool_calls": [opening]}), event({}, finish="tool_calls"))
    it = Line(tmp_path, toml, answer, said('{"a":1}', calls=[("nope", '{"b":2}')]))
    stream, chunks = it.stream()
    assert raw_of(stream, chunks) == stream.answered.raw == it.infer().raw == '{"a":1}'


def test_prose_comes_at_the_end_and_is_no_value(tmp_path):
    toml = model() + function(variant(extra='json_mode = "off"'), kind="json")
    answer = Streamed(event({"content": "No"}), event({"content": " idea."}), event({}, finish="stop"))
    stream, chunks = Line(tmp_path, toml, answer).stream()
    assert [chunk.content for chunk in chunks if chunk.content] == [(TextDelta("0", "No idea."),)]
    assert (stream.answered.raw, stream.answered.parsed) == ("No idea.", None)
