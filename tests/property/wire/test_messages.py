"""Answers in Anthropic's dialect: accepted by Anthropic's own types, streams well formed and adding up to the whole."""

import base64
import json

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import TypeAdapter

from calibrant.types.answer import Answered, Head
from calibrant.types.message import Input
from calibrant.types.reply import Chunk, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta, Usage, fold
from calibrant.types.request import InferenceRequest
from calibrant.types.sent import Sent
from calibrant.wire import anthropic_messages, anthropic_thought

TEXT = st.text(max_size=6)
COUNT = st.none() | st.integers(0, 10**9)
USAGE = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT)
FINISH = st.sampled_from([None, "stop", "stop_sequence", "length", "tool_call", "content_filter", "unknown"])
COST = st.sampled_from([None, "0", "0.000000123", "1E-7", "12.50"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT | st.just("}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
EVENT = TypeAdapter(RawMessageStreamEvent)


def head(kind="chat", prefix="calibrant"):
    sent = Sent("anthropic_messages", "m", {}, ())
    request = InferenceRequest(input=Input(), model_name="m", prefix=prefix, dialect="anthropic_messages", sent=sent)
    return Head("i", "e", "f", "v", kind, request, 1)


def cut(draw, text):
    """The text in pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def blocks(draw):
    """Blocks as lists of their pieces."""
    out = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(["text", "call", "thought", "summary"]), max_size=4))):
        key = str(number)
        if kind == "text":
            out.append([TextDelta(key, piece) for piece in cut(draw, draw(TEXT))])
        elif kind == "call":
            arguments = json.dumps(draw(OBJECTS)) if draw(st.booleans()) else ""
            first, *rest = cut(draw, arguments)
            name = draw(st.text("xyz", min_size=1, max_size=4))
            out.append([ToolCallDelta(key, first, name), *(ToolCallDelta(key, piece) for piece in rest)])
        elif kind == "thought":
            who = draw(st.sampled_from([None, "anthropic", "openai"]))
            pieces = [ThoughtDelta(key, piece, None, who) for piece in cut(draw, draw(TEXT))]
            signed = [
                ThoughtDelta(key, None, piece, who) for piece in draw(st.lists(st.text("s", min_size=1), max_size=2))
            ]
            out.append([*pieces, *signed])
        else:
            pieces = draw(st.lists(st.tuples(st.sampled_from("01"), TEXT), min_size=1, max_size=4))
            pieces.sort(key=lambda piece: piece[0])
            out.append([ThoughtDelta(key, None, None, "openai", place, text) for place, text in pieces])
    return out


@st.composite
def orders(draw, *, mixed):
    """A stream of blocks one after the other; or with the pieces of calls mixed among one another."""
    stream, calls = [], []
    for pieces in draw(blocks()):
        if mixed and isinstance(pieces[0], ToolCallDelta):
            calls.append(pieces)
        else:
            stream += pieces
    while calls:
        stream.append(draw(st.sampled_from(calls)).pop(0))
        calls = [pieces for pieces in calls if pieces]
    return [Chunk((delta,)) for delta in stream]


def events_of(stream, usage=Usage(), finish=None, cost=None, kind="chat"):
    """The events of a stream, each checked against Anthropic's types."""
    events = anthropic_messages.events(head(kind))
    end = Answered(head(kind), (), None, None, usage, finish, cost)
    data = b"".join([*(events.chunk(chunk) for chunk in stream), events.final(end), events.done()])
    *frames, nothing = data.split(b"\n\n")
    assert nothing == b""
    found = []
    for frame in frames:
        name, _, text = frame.partition(b"\n")
        assert b"\n" not in text and text.startswith(b"data: ")
        document = json.loads(text[6:])
        assert name == b"event: " + document["type"].encode()
        found.append(document)
    return found


def check_order(documents):
    """One start, blocks one after the other, one delta, one stop."""
    kinds = [document["type"] for document in documents]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    is_open, index = False, 0
    for document in documents[1:-2]:
        kind = document["type"]
        assert kind in ("content_block_start", "content_block_delta", "content_block_stop")
        assert document["index"] == index
        assert is_open == (kind != "content_block_start")
        is_open = kind != "content_block_stop"
        index += kind == "content_block_stop"
    assert not is_open


def accumulated(documents):
    snapshot, pieces = None, {}
    for document in documents:
        event = EVENT.validate_python(document) if "unknown" not in str(document) else document
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=pieces)
    return snapshot


def whole(stream, usage=Usage(), finish=None, cost=None):
    reply = fold(stream)
    return json.loads(anthropic_messages.encode(Answered(head(), reply.content, None, None, usage, finish, cost)))


def plain(content):
    """Blocks as values; the SDK adds nulls of its own."""
    return [{key: value for key, value in block.items() if value is not None or key == "input"} for block in content]


def dumped(message):
    return plain([block.to_dict() for block in message.content])


@settings(deadline=None)
@given(stream=orders(mixed=False), usage=USAGE, finish=FINISH, cost=COST)
def test_a_stream_folds_to_the_whole(stream, usage, finish, cost):
    documents = events_of(stream, usage, finish, cost)
    check_order(documents)
    message = accumulated(documents)
    expected = whole(stream, usage, finish, cost)
    Message.model_validate(expected)
    assert dumped(message) == plain(expected["content"])
    assert message.stop_reason == expected["stop_reason"]
    told = {key: value for key, value in expected["usage"].items() if value is not None and not key.endswith("_cost")}
    assert {key: value for key, value in message.usage.to_dict().items() if value is not None} == told


@settings(deadline=None)
@given(stream=orders(mixed=True))
def test_mixed_calls_fold_to_the_whole(stream):
    documents = events_of(stream)
    check_order(documents)
    found = {block["id"]: block for block in dumped(accumulated(documents)) if block["type"] == "tool_use"}
    expected = [block for block in whole(stream)["content"] if block["type"] == "tool_use"]
    assert found == {block["id"]: block for block in expected}


@st.composite
def anything(draw):
    """Pieces of any kind in any order, arguments that are no JSON included."""
    pieces = st.one_of(
        st.builds(TextDelta, st.sampled_from("ab"), TEXT),
        st.builds(ToolCallDelta, st.sampled_from("ab"), TEXT | st.sampled_from(["{", "}", "{}"]), st.none() | TEXT),
        st.builds(
            ThoughtDelta,
            st.sampled_from("ab"),
            st.none() | TEXT,
            st.none() | TEXT,
            st.sampled_from([None, "anthropic", "openai"]),
            st.none() | st.sampled_from("01"),
            st.none() | TEXT,
            st.none() | OBJECTS,
        ),
        st.builds(UnknownDelta, st.sampled_from("ab"), JSON),
    )
    return [Chunk(tuple(draw(st.lists(pieces, max_size=3)))) for _ in range(draw(st.integers(0, 5)))]


@settings(deadline=None)
@given(stream=anything(), kind=st.sampled_from(["chat", "json"]))
def test_any_stream_is_well_formed_and_loses_no_text(stream, kind):
    documents = events_of(stream, kind=kind)
    check_order(documents)
    deltas = [document["delta"] for document in documents if document["type"] == "content_block_delta"]
    said = sorted("".join(delta["text"] for delta in deltas if delta["type"] == "text_delta"))
    if kind == "chat":
        meant = [delta.text for chunk in stream for delta in chunk.content if isinstance(delta, TextDelta)]
        assert said == sorted("".join(meant))


@settings(deadline=None)
@given(stream=anything(), usage=USAGE, finish=FINISH, cost=COST)
def test_any_whole_answer_can_be_read(stream, usage, finish, cost):
    expected = whole(stream, usage, finish, cost)
    known = [block for block in expected["content"] if block["type"] != "unknown"]
    Message.model_validate({**expected, "content": known})
    sent, read, made = (expected["usage"][k] or 0 for k in ("input_tokens", "cache_read_input_tokens", "output_tokens"))
    written = expected["usage"]["cache_creation_input_tokens"] or 0
    assert sent + read + written == max(usage.input_tokens or 0, read + written)
    assert made == (usage.output_tokens or 0)


@settings(deadline=None)
@given(stream=anything())
def test_thoughts_come_back_as_they_were(stream):
    """What a client keeps of an answer brings back what its provider gave."""
    for block in fold(stream).content:
        if type(block).__name__ != "Thought" or block.provider_type != "openai":
            continue
        opaque = anthropic_thought.sealed(block)
        if not opaque:
            assert (block.signature, block.summary, block.extra_data) == (None, None, None)
            continue
        back, alone = anthropic_thought.read(anthropic_thought.shown(block), opaque)
        assert back == block and not alone


@settings(deadline=None)
@given(data=st.binary(max_size=30), text=st.text(max_size=30))
def test_signatures_that_are_not_ours_pass_byte_for_byte(data, text):
    for opaque in (text, "calibrant.thought." + text, "calibrant.thought." + data.hex()):
        thought, _ = anthropic_thought.read("t", opaque)
        if thought.provider_type == "anthropic":
            assert thought.signature == opaque
            assert anthropic_thought.sealed(thought) == opaque


def test_a_deep_seal_is_no_fault():
    deep = b'{"extra_data":' + b"[" * 100_000
    opaque = "calibrant.thought." + base64.b64encode(deep).decode()
    assert anthropic_thought.read("t", opaque)[0].signature == opaque


BLOCK = st.sampled_from(
    [
        {"type": "text", "text": ""},
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "tool_use", "id": "t", "name": "n", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
    ]
)
DELTA = st.sampled_from(
    [
        {"type": "text_delta", "text": "x"},
        {"type": "thinking_delta", "thinking": "y"},
        {"type": "signature_delta", "signature": "z"},
        {"type": "input_json_delta", "partial_json": "{}"},
    ]
)
THEIR_EVENT = st.one_of(
    st.builds(
        lambda usage: {"type": "message_start", "message": {"id": "x", "usage": {"input_tokens": usage}}}, st.integers()
    ),
    st.builds(
        lambda index, block: {"type": "content_block_start", "index": index, "content_block": block},
        st.integers(0, 2),
        BLOCK,
    ),
    st.builds(
        lambda index, delta: {"type": "content_block_delta", "index": index, "delta": delta}, st.integers(0, 2), DELTA
    ),
    st.builds(lambda index: {"type": "content_block_stop", "index": index}, st.integers(0, 2)),
    st.builds(lambda made: {"type": "message_delta", "delta": {}, "usage": {"output_tokens": made}}, COUNT),
    st.sampled_from([{"type": "ping"}, {"type": "message_stop"}, {"type": "next_year"}, {"type": "message_delta"}]),
    st.dictionaries(st.sampled_from(["type", "index", "delta", "usage", "message"]), JSON, max_size=3),
)


@settings(deadline=None)
@given(stream=st.lists(THEIR_EVENT, max_size=12), indent=st.sampled_from([None, 1]))
def test_the_frame_of_a_stream_that_passes_is_ours_whatever_comes(stream, indent):
    """One start, one delta, one stop; what was begun is ended, and no event is cut in two by a line break."""
    who = replace(head(), verbatim=True)
    events = anthropic_messages.events(who)
    chunks = [events.chunk(Chunk(raw=json.dumps(event, indent=indent).encode())) for event in stream]
    end = events.final(Answered(who, (), None, None, Usage(), None)) + events.done()
    frames = (b"".join(chunks) + end).split(b"\n\n")[:-1]
    documents = [json.loads(frame.partition(b"\ndata: ")[2]) for frame in frames]
    kinds = [document["type"] for document in documents]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert [kinds.count(kind) for kind in ("message_start", "message_delta", "message_stop")] == [1, 1, 1]
    is_open = set()
    for document in documents:
        if document["type"] == "content_block_start":
            is_open.add(document["index"])
        elif document["type"] == "content_block_delta":
            assert document["index"] in is_open
        elif document["type"] == "content_block_stop":
            is_open.remove(document["index"])
    assert not is_open
