"""A streamed response, added up by OpenAI's own SDK, is the response that is answered whole."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from openai import Omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from calibrant.base.errors import ProvidersExhausted
from calibrant.types.answer import Answered, Head
from calibrant.types.message import Input
from calibrant.types.reply import Chunk, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta, Usage, fold
from calibrant.types.request import InferenceRequest
from calibrant.types.tool import CustomTool
from calibrant.wire import openai_responses, responses_events

EPISODE = "0196ffff-0000-7000-8000-000000000000"
EVENT = TypeAdapter(ResponseStreamEvent)
TEXT = st.text(max_size=6)
COUNT = st.none() | st.integers(0, 10**9)
USAGE = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT)
FINISH = st.sampled_from([None, "stop", "stop_sequence", "length", "tool_call", "content_filter", "unknown"])
COST = st.sampled_from([None, "0", "0.000000123", "12.50"])
CHAT = st.sampled_from(["chat", "custom"])


def head(kind="chat"):
    """Of a function of that type; `custom` is a chat function with a custom tool."""
    custom = (CustomTool("patch"),) if kind == "custom" else ()
    request = InferenceRequest(input=Input(), function_name="f", dialect="openai_responses", custom_tools=custom)
    return Head(EPISODE, EPISODE, "f", "v", "json" if kind == "json" else "chat", request, 1)


def written(draw, kind, key):
    """The pieces of one block, in order."""
    texts = draw(st.lists(TEXT, min_size=1, max_size=3))
    if kind == "text":
        return [TextDelta(key, text) for text in texts]
    if kind == "call":
        texts = [*texts, *draw(st.sampled_from([(), ("{", "}"), ("{}",)]))] if draw(st.booleans()) else ["{", "}"]
        name = draw(st.sampled_from(["weather", "patch"]))
        return [ToolCallDelta(key, text, None if i else name) for i, text in enumerate(texts)]
    if kind == "thought":
        pieces = [ThoughtDelta(key, text, provider_type="anthropic") for text in texts]
        for place in range(draw(st.integers(0, 2))):
            pieces += [ThoughtDelta(key, summary_id=str(place), summary_text=text) for text in texts]
        return [*pieces, ThoughtDelta(key, signature=draw(st.none() | st.text("s", min_size=1)))]
    action = {"type": "search", "query": draw(TEXT)}
    return [UnknownDelta(key, {"type": "web_search_call", "id": f"ws_{key}", "status": "completed", "action": action})]


@st.composite
def in_order(draw):
    """A stream whose texts and thoughts come one after the other; the pieces of calls come in turn, as they may."""
    kinds = draw(st.lists(st.sampled_from(["text", "call", "thought", "unknown"]), max_size=5))
    waiting, out = [], []
    for place, kind in enumerate(kinds):
        pieces = written(draw, kind, str(place))
        out.append(pieces[0])
        if kind == "call":
            waiting.append(pieces[1:])
        else:
            out += pieces[1:]
        for rest in waiting:
            if rest and draw(st.booleans()):
                out.append(rest.pop(0))
    while any(waiting):
        out += [rest.pop(0) for rest in waiting if rest]
    return chunked(draw, out)


@st.composite
def in_any_order(draw):
    """A stream whose pieces come in any order, but that a call begins with its name."""
    kinds = draw(st.lists(st.sampled_from(["text", "call", "thought", "unknown"]), max_size=5))
    blocks = [written(draw, kind, str(place)) for place, kind in enumerate(kinds)]
    out = []
    while any(blocks):
        out.append(draw(st.sampled_from([block for block in blocks if block])).pop(0))
    return chunked(draw, out)


def chunked(draw, deltas):
    stream = []
    while deltas:
        size = draw(st.integers(1, 3))
        stream.append(Chunk(tuple(deltas[:size])))
        deltas = deltas[size:]
    return stream


def documents(data):
    """The events of a stream, with their framing and their numbers checked."""
    found = []
    *events, nothing = data.split(b"\n\n")
    assert nothing == b""
    for event in events:
        name, line = event.split(b"\n")
        document = json.loads(line.removeprefix(b"data: "))
        assert name == b"event: " + document["type"].encode()
        found.append(document)
    assert [each["sequence_number"] for each in found] == list(range(len(found)))
    return found


def streamed(stream, kind, usage, finish, cost):
    events = responses_events.Events(head(kind))
    last = Answered(head(kind), (), None, None, usage, finish, cost)
    data = b"".join([*(events.chunk(chunk) for chunk in stream), events.final(last), events.done()])
    return documents(data)


def added_up(found):
    """What the SDK makes of the events; it raises where they contradict each other."""
    state = ResponseStreamState(input_tools=Omit(), text_format=Omit())
    for document in found:
        state.handle_event(EVENT.validate_python(document))
    return state


def whole(stream, kind, usage, finish, cost):
    reply = fold(stream)
    raw = None
    if kind == "json" and stream:
        pieces = [d for c in stream for d in c.content if isinstance(d, TextDelta | ToolCallDelta)]
        texts = [d.text if isinstance(d, TextDelta) else d.raw_arguments for d in pieces]
        raw = "".join(texts) if pieces else None
    return json.loads(openai_responses.encode(Answered(head(kind), reply.content, raw, None, usage, finish, cost)))


@settings(deadline=None)
@given(stream=in_order(), kind=CHAT, usage=USAGE, finish=FINISH, cost=COST)
def test_a_stream_adds_up_to_the_whole(stream, kind, usage, finish, cost):
    found = streamed(stream, kind, usage, finish, cost)
    expected = whole(stream, kind, usage, finish, cost)
    Response.model_validate(expected)
    assert [each["type"] for each in found[:2]] == ["response.created", "response.in_progress"]
    assert found[-1]["type"] == f"response.{expected['status']}"
    assert found[-1]["response"] == expected
    state = added_up(found)
    done = {each["output_index"]: each["item"] for each in found if each["type"] == "response.output_item.done"}
    assert [done[place] for place in range(len(done))] == expected["output"]
    if expected["status"] == "completed":
        assert state._completed_response.output_text == Response.model_validate(expected).output_text


@settings(deadline=None)
@given(stream=in_order(), usage=USAGE, finish=FINISH, cost=COST)
def test_a_json_stream_adds_up_to_the_whole(stream, usage, finish, cost):
    found = streamed(stream, "json", usage, finish, cost)
    assert found[-1]["response"] == whole(stream, "json", usage, finish, cost)
    added_up(found)


@settings(deadline=None)
@given(stream=in_any_order(), kind=CHAT, usage=USAGE)
def test_nothing_is_lost_whatever_the_order(stream, kind, usage):
    found = streamed(stream, kind, usage, "stop", None)
    added_up(found)
    items = found[-1]["response"]["output"]
    expected = whole(stream, kind, usage, "stop", None)["output"]
    # Calls keep one item each; texts and thoughts whose pieces are torn apart may take several.
    for kind in ("function_call", "custom_tool_call"):
        assert said(items, kind) == said(expected, kind)
    texts = [d.text for c in stream for d in c.content if isinstance(d, TextDelta)]
    assert "".join(part["text"] for item in items if item["type"] == "message" for part in item["content"]) == "".join(
        texts
    )
    deltas = [each["delta"] for each in found if each["type"] == "response.reasoning_text.delta"]
    assert deltas == [d.text for c in stream for d in c.content if isinstance(d, ThoughtDelta) and d.text is not None]


def said(items, kind):
    return sorted(
        [item["call_id"], item["name"], item.get("arguments", item.get("input"))]
        for item in items
        if item["type"] == kind
    )


@settings(deadline=None)
@given(stream=in_any_order(), kind=CHAT)
def test_a_stream_that_breaks_says_so_and_keeps_what_came(stream, kind):
    events = responses_events.Events(head(kind))
    data = b"".join(events.chunk(chunk) for chunk in stream)
    found = documents(data + events.error(ProvidersExhausted("it broke")) + events.done())
    added_up(found)
    last = found[-1]
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert last["response"]["error"] == {"code": "server_error", "message": "it broke"}
    begun = [each["output_index"] for each in found if each["type"] == "response.output_item.added"]
    assert len(last["response"]["output"]) == len(begun)
