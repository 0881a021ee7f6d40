"""A stream, read by a small reader of events, adds up to what the whole answer says."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from calibrant.types.answer import Answered, Head
from calibrant.types.message import Input
from calibrant.types.reply import Chunk, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta, Usage, fold
from calibrant.types.request import InferenceRequest
from calibrant.wire import native, openai_chat

TEXT = st.text(max_size=6)
COUNT = st.none() | st.integers(0, 10**9)
USAGE = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT)
FINISH = st.sampled_from([None, "stop", "stop_sequence", "length", "tool_call", "content_filter", "unknown"])
COST = st.sampled_from([None, "0", "0.000000123", "1E-7", "12.50"])


@st.composite
def chunks(draw):
    """A stream as providers send it: a tool call begins with its name, a provider's own block comes in one piece."""
    named: set[str] = set()
    unknowns = 0
    stream = []
    for _ in range(draw(st.integers(0, 6))):
        deltas = []
        for kind in draw(st.lists(st.sampled_from(["text", "call", "thought", "unknown"]), max_size=4)):
            block = draw(st.sampled_from("ab"))
            if kind == "text":
                deltas.append(TextDelta("0", draw(TEXT)))
            elif kind == "call":
                name = None if block in named else draw(st.text("xyz", min_size=1, max_size=4))
                named.add(block)
                deltas.append(ToolCallDelta(block, draw(TEXT), name))
            elif kind == "thought":
                deltas.append(ThoughtDelta(block, draw(st.none() | TEXT), draw(st.none() | st.text("s", min_size=1))))
            else:
                unknowns += 1
                deltas.append(UnknownDelta(str(unknowns), {"a": draw(TEXT)}))
        stream.append(Chunk(tuple(deltas)))
    return stream


def head(kind, prefix):
    request = InferenceRequest(input=Input(), function_name="f", prefix=prefix, include_usage=True)
    return Head("i", "e", "f", "v", kind, request, 1)


def sent(events, stream, whole):
    """Return the JSON documents of a stream, checking its framing."""
    data = b"".join([*(events.chunk(chunk) for chunk in stream), events.final(whole), events.done()])
    *lines, last, nothing = data.split(b"\n\n")
    assert (last, nothing) == (b"data: [DONE]", b"")
    assert all(line.startswith(b"data: ") and b"\n" not in line and b"\r" not in line for line in lines)
    return [line[6:] for line in lines]


def answered(kind, prefix, stream, usage, finish, cost):
    reply = fold(stream)
    if kind == "chat":
        return Answered(head(kind, prefix), reply.content, None, None, usage, finish, cost)
    raw = "".join(
        delta.text if isinstance(delta, TextDelta) else delta.raw_arguments
        for chunk in stream
        for delta in chunk.content
        if isinstance(delta, TextDelta | ToolCallDelta)
    )
    return Answered(head(kind, prefix), (), raw, None, usage, finish, cost)


def join(parts):
    texts = [part for part in parts if part is not None]
    return "".join(texts) if texts else None


def native_blocks(deltas):
    blocks = {}
    for delta in deltas:
        blocks.setdefault((delta["type"], delta["id"]), []).append(delta)
    for (kind, id_), pieces in blocks.items():
        if kind == "text":
            yield {"type": kind, "text": "".join(p["text"] for p in pieces)}
        elif kind == "tool_call":
            yield {
                "type": kind,
                "id": id_,
                "raw_name": pieces[0]["raw_name"],
                "raw_arguments": "".join(p["raw_arguments"] for p in pieces),
                "name": None,
                "arguments": None,
            }
        elif kind == "thought":
            signature = join(p.get("signature") for p in pieces)
            thought = {"type": kind, "text": join(p.get("text") for p in pieces), "signature": signature}
            yield {k: v for k, v in thought.items() if v is not None or k == "text"}
        else:
            yield {"type": kind, "data": pieces[0]["data"], "model_name": None, "provider_name": None}


@settings(deadline=None)
@given(stream=chunks(), usage=USAGE, finish=FINISH, cost=COST)
def test_a_native_chat_stream_adds_up(stream, usage, finish, cost):
    value = answered("chat", "tensorzero", stream, usage, finish, cost)
    documents = [json.loads(d) for d in sent(native.Events(value.head), stream, value)]
    whole = json.loads(native.encode(value))
    *_, last = documents
    folded = {k: last[k] for k in whole}
    folded["content"] = list(native_blocks(delta for document in documents for delta in document["content"]))
    assert folded == whole


@settings(deadline=None)
@given(stream=chunks(), usage=USAGE, finish=FINISH, cost=COST)
def test_a_native_json_stream_adds_up(stream, usage, finish, cost):
    value = answered("json", "tensorzero", stream, usage, finish, cost)
    documents = [json.loads(d) for d in sent(native.Events(value.head), stream, value)]
    whole = json.loads(native.encode(value))
    assert "".join(document["raw"] for document in documents) == whole["output"]["raw"]
    assert all(documents[-1][k] == whole[k] for k in whole if k != "output")


def openai_message(deltas, prefix):
    message = {"role": "assistant", "content": join(d.get("content") for d in deltas)}
    calls, extra = {}, {}
    for delta in deltas:
        for piece in delta.get("tool_calls", ()):
            call = calls.setdefault(
                piece["index"], {"id": None, "type": None, "function": {"arguments": "", "name": None}}
            )
            call["id"] = piece.get("id", call["id"])
            call["type"] = piece.get("type", call["type"])
            call["function"]["name"] = piece["function"].get("name", call["function"]["name"])
            call["function"]["arguments"] += piece["function"]["arguments"]
        for piece in delta.get(f"{prefix}_extra_content", ()):
            extra.setdefault(piece["index"], []).append(piece)
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    if extra:
        message[f"{prefix}_extra_content"] = [extra_block(extra[index]) for index in sorted(extra)]
    return message


def extra_block(pieces):
    assert ["insert_index" in piece for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    block = {key: value for key, value in pieces[0].items() if key != "index"}
    for field in ("text", "signature") if block["type"] == "thought" else ():
        value = join(piece.get(field) for piece in pieces)
        block.pop(field, None)
        block |= {} if value is None else {field: value}
    return block


@pytest.mark.parametrize("kind", ["chat", "json"])
@settings(deadline=None)
@given(stream=chunks(), usage=USAGE, finish=FINISH, cost=COST, prefix=st.sampled_from(["tensorzero", "calibrant"]))
def test_an_openai_stream_adds_up(kind, stream, usage, finish, cost, prefix):
    value = answered(kind, prefix, stream, usage, finish, cost)
    lines = sent(openai_chat.Events(value.head), stream, value)
    documents = [json.loads(line) for line in lines]
    body = openai_chat.encode(value)
    whole = json.loads(body)
    # A total over an unknown number is null, which we say and the SDK's model does not foresee.
    if (usage.input_tokens is None) == (usage.output_tokens is None):
        ChatCompletion.model_validate_json(body, strict=True)
        for line in lines:
            ChatCompletionChunk.model_validate_json(line, strict=True)

    choices = [choice for document in documents for choice in document["choices"]]
    assert [choice["delta"].get("role") for choice in choices] == ["assistant"] + [None] * (len(choices) - 1)
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    assert choices[-1]["finish_reason"] == whole["choices"][0]["finish_reason"]
    folded = openai_message([choice["delta"] for choice in choices], prefix)
    expected = whole["choices"][0]["message"]
    # Empty text may be left out of a stream.
    assert folded | {"content": folded["content"] or None} == expected | {"content": expected["content"] or None}
    usages = [document["usage"] for document in documents if "usage" in document]
    assert usages == ([] if whole["usage"] is None else [whole["usage"]])
    assert {d["id"] for d in documents} == {whole["id"]}
    assert {d["model"] for d in documents} == {whole["model"]}
