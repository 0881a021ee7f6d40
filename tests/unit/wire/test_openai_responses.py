import msgspec
import pytest
from msgspec import Raw
from openai.types.responses import Response
from tests.support.records import model_inference

from calibrant.base.errors import InvalidRequest, ResponseNotFound
from calibrant.types.answer import Answered, Head
from calibrant.types.content import File, RawText, Template, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Input, Message
from calibrant.types.reply import Chunk, TextDelta, ThoughtDelta, ToolCallDelta, Usage
from calibrant.types.request import InferenceRequest, Params, Recall
from calibrant.types.sent import SentMessage
from calibrant.types.tool import CustomTool, Grammar, Specific, Tool
from calibrant.wire import openai_responses, responses_events
from calibrant.wire.thought_seal import is_sealed, seal, unseal

NOW = 1_780_000_000_000
INFERENCE = "0196ffff-0000-7000-8000-000000000001"
SEARCHED = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
PNG = "iVBORw0KGgoAAAANSUhEUg=="


def decode(**fields):
    body = {"model": "m", "input": "hello", **fields}
    return openai_responses.decode(msgspec.json.encode(body), now_ms=NOW)


def read(*items):
    return decode(input=list(items))


def turns(*items):
    return read(*items).input.messages


def part(content, role="user"):
    return turns({"role": role, "content": [content]})[0].content


def refused(match, **fields):
    with pytest.raises(InvalidRequest, match=match):
        decode(**fields)


def test_the_plain_request():
    request = decode()
    assert request.input == Input((Message("user", (Text("hello"),)),))
    assert (request.model_name, request.function_name, request.prefix) == ("m", None, "calibrant")
    assert (request.dialect, request.stream, request.recall) == ("openai_responses", False, None)
    assert request.params == Params()
    assert (request.tags, request.tools, request.output_schema) == ({}, (), None)


@pytest.mark.parametrize(
    ("model", "function", "name", "prefix"),
    [
        ("gpt-4o", None, "gpt-4o", "calibrant"),
        ("openai::gpt-4o", None, "openai::gpt-4o", "calibrant"),
        ("tensorzero::model_name::m", None, "m", "tensorzero"),
        ("calibrant::function_name::f", "f", None, "calibrant"),
    ],
)
def test_the_model_names_a_function_or_a_model(model, function, name, prefix):
    request = decode(model=model)
    assert (request.function_name, request.model_name, request.prefix) == (function, name, prefix)


def test_every_field():
    schema = {"type": "object"}
    request = decode(
        instructions="i",
        stream=True,
        tools=[
            {"type": "function", "name": "t", "description": "d", "parameters": schema, "strict": True},
            {"type": "function", "name": "u"},
            {"type": "custom", "name": "c", "description": "d"},
            {
                "type": "custom",
                "name": "g",
                "format": {"type": "grammar", "syntax": "regex", "definition": "x+"},
            },
        ],
        tool_choice={"type": "function", "name": "t"},
        parallel_tool_calls=False,
        text={"format": {"type": "json_schema", "name": "n", "schema": schema}, "verbosity": "low"},
        reasoning={"effort": "high", "summary": "auto"},
        max_output_tokens=7,
        temperature=1,
        top_p=0.5,
        service_tier="flex",
        store=False,
        metadata={"a": "1", "b": "2"},
        **{"tensorzero::tags": {"b": "3"}, "calibrant::dryrun": True, "tensorzero::variant_name": None},
    )
    assert request.input.system == "i"
    assert request.stream
    assert request.dryrun
    assert request.tools == (
        Tool("t", "d", schema, strict=True),
        Tool("u", "", {"type": "object", "properties": {}}),
    )
    assert request.custom_tools == (CustomTool("c", "d"), CustomTool("g", "", Grammar("regex", "x+")))
    assert request.tool_choice == Specific("t")
    assert request.parallel_tool_calls is False
    assert request.output_schema == schema
    assert request.params == Params(
        temperature=1.0,
        max_tokens=7,
        top_p=0.5,
        json_mode="strict",
        reasoning_effort="high",
        service_tier="flex",
        verbosity="low",
    )
    assert request.tags == {"a": "1", "b": "3", "tensorzero::store": "false"}
    assert request.sent.only == ()
    assert set(request.sent.fields) >= {"tools", "text", "metadata"}
    assert not any("::" in name for name in request.sent.fields)


def test_our_parameters_win_over_the_bodys():
    request = decode(
        temperature=1,
        text={"verbosity": "low", "format": {"type": "text"}},
        **{"tensorzero::params": {"chat_completion": {"temperature": 0.1, "json_mode": "on"}}},
    )
    assert request.params == Params(temperature=0.1, verbosity="low", json_mode="on")
    assert request.sent.fields == {"text": Raw(b'{"verbosity":"low"}')}


def test_a_choice_among_some_tools():
    tools = [{"type": "function", "name": "t"}, {"type": "web_search"}]
    request = decode(tools=tools[:1], tool_choice={"type": "allowed_tools", "mode": "required", "tools": tools})
    assert (request.tool_choice, request.allowed_tools) == ("required", ("t",))
    assert request.sent.only == ("`$.tool_choice.tools[1] of type 'web_search'`",)
    assert decode(tool_choice="none").tool_choice == "none"


def test_a_conversation():
    request = read(
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "x"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}], "id": "msg_1"},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "2", "name": "c", "input": "text"},
        {"type": "function_call_output", "call_id": "1", "output": "r"},
        {"type": "custom_tool_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "s"}]},
        {"role": "developer", "content": [{"type": "input_text", "text": "d"}]},
        {"role": "user", "content": "p"},
    )
    assert request.input == Input(
        (
            Message("user", (Text("q"),)),
            Message(
                "assistant",
                (
                    Thought(None, None, [{"type": "summary_text", "text": "x"}], "openai", {"id": "rs_1"}),
                    Text("a"),
                    ToolCall("1", "f", "{}"),
                    ToolCall("2", "c", "text"),
                ),
            ),
            Message("user", (ToolResult("1", "f", "r"), ToolResult("2", "c", "s"))),
            Message("user", (Text("p"),)),
        ),
        "s\nd",
    )
    assert request.sent.only == ()
    assert [each.place for each in request.sent.messages] == [None, 0, 1, 1, 1, 1, 2, 2, None, 3]
    assert request.tags == {"tensorzero::system_messages": "3"}


@pytest.mark.parametrize(
    ("content", "block"),
    [
        ({"type": "input_text", "text": "a"}, Text("a")),
        ({"type": "refusal", "refusal": "no"}, Text("no")),
        (
            {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
            File(url="https://x.test/a.png", detail="low"),
        ),
        (
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
            File(data=PNG, mime_type="image/png"),
        ),
        (
            {"type": "input_file", "file_data": PNG, "filename": "a.png"},
            File(data=PNG, mime_type="image/png", filename="a.png"),
        ),
        ({"type": "input_file", "file_url": "https://x.test/a.pdf"}, File(url="https://x.test/a.pdf")),
        (
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
            File(data="aGk=", mime_type="audio/mpeg"),
        ),
        ({"type": "input_text", "tensorzero::arguments": {"a": 1}}, Template("user", {"a": 1})),
        ({"type": "calibrant::template", "name": "t", "arguments": {}}, Template("t", {})),
        ({"type": "tensorzero::raw_text", "value": "a"}, RawText("a")),
    ],
)
def test_parts(content, block):
    assert part(content) == (block,)


def test_what_only_this_dialect_knows_is_noted():
    request = read(
        {"role": "user", "content": [{"type": "input_file", "file_id": "f"}, {"type": "new", "a": 1}]},
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": ""},
        {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_image", "image_url": "https://a"}]},
        {"type": "item_reference", "id": "msg_theirs"},
    )
    assert request.sent.only == (
        "`$.input[0].content[0].file_id`",
        "`$.input[0].content[1] of type 'new'`",
        "`$.input[1] of type 'web_search_call'`",
        "`$.input[3].output: an answer that is not text`",
        "`$.input[4].id: an item that is not in this record`",
    )
    assert request.input.messages[0].content == (Unknown({"type": "new", "a": 1}),)
    assert request.input.messages[1].content[0] == Unknown({"type": "web_search_call", "id": "ws_1"})


def test_items_of_ours_go_on_without_our_ids():
    ours = f"msg_{INFERENCE}_0"
    sealed = seal(Thought("t", "sig", None, "anthropic"))
    request = read(
        {"type": "message", "id": ours, "role": "assistant", "content": "a"},
        {"type": "reasoning", "id": f"rs_{INFERENCE}_1", "summary": [], "encrypted_content": sealed},
        {"type": "item_reference", "id": ours},
    )
    first, named = request.sent.messages
    assert msgspec.json.decode(first.raw) == {"type": "message", "role": "assistant", "content": "a"}
    assert (first.place, named) == (0, SentMessage(None, 0))
    assert request.recall == Recall(None, {ours: INFERENCE})
    assert request.input.messages[0].content[1] == Thought(None, "sig", None, "anthropic")


def test_going_on_from_an_answer():
    request = decode(
        previous_response_id=f"resp_{INFERENCE}",
        input=[{"type": "function_call_output", "call_id": "1", "output": "r"}],
    )
    assert request.recall == Recall(INFERENCE, {}, unnamed=True)
    assert request.tags == {"tensorzero::previous_response_id": f"resp_{INFERENCE}"}
    assert decode(previous_response_id=f"resp_{INFERENCE}", input=None).input.messages == ()
    for other in ("resp_68a1f", "", "resp_ffffffff-0000-7000-8000-000000000001"):
        with pytest.raises(ResponseNotFound, match="not found"):
            decode(previous_response_id=other)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"input": None}, r"nothing to answer.*\$\.input"),
        ({"background": True}, r"\$\.background"),
        ({"conversation": {"id": "conv_1"}}, r"\$\.conversation"),
        ({"model": "tensorzero::what::f"}, r"\$\.model"),
        ({"input": [{"content": "a"}]}, r"\$\.input\[0\]"),
        ({"input": [{"role": "tool", "content": "a"}]}, r"unknown role 'tool'.*\$\.input\[0\]\.role"),
        ({"input": [{"role": "user", "content": 7}]}, r"\$\.input\[0\]\.content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, r"`text` - at `\$\.input\[0\]\.content"),
        ({"input": [{"role": "system", "content": [{"type": "input_image", "image_url": "https://a"}]}]}, "text only"),
        ({"input": [{"type": "function_call_output", "call_id": "1", "output": "a"}]}, r"'1' - at `\$\.input\[0\]"),
        ({"tools": [{"type": "function"}]}, r"\$\.tools\[0\]\.name"),
        ({"tools": [{"name": "a"}]}, r"\$\.tools\[0\]"),
        ({"tools": [{"type": "custom", "name": "a", "format": {"type": "grammar"}}]}, r"\$\.tools\[0\]\.format"),
        ({"tool_choice": {"type": "function"}}, r"\$\.tool_choice"),
        ({"metadata": {"tensorzero::a": "b"}}, r"reserved.*\$\.metadata"),
        ({"tensorzero::deny_unknown_fields": True, "nonsense": 1}, "nonsense"),
        ({"text": {"format": {"type": "xml"}}}, r"\$\.text\.format"),
    ],
)  # fmt: skip
def test_what_is_refused(fields, match):
    refused(match, **fields)


def test_known_fields_pass_where_unknown_ones_are_denied():
    hints = {"truncation": "auto", "user": "u", "prompt_cache_key": "k", "stream_options": {}, "client_metadata": {}}
    assert decode(**hints, **{"calibrant::deny_unknown_fields": True}).model_name == "m"


@pytest.mark.parametrize(
    "thought",
    [
        Thought("t", "sig=", None, "anthropic"),
        Thought(None, "sig", [{"type": "summary_text", "text": "s"}], "google_ai_studio_gemini", {"a": [1]}),
        Thought("only text", None, None, "deepseek"),
        Thought("t", "gAAAA+/enc=", None, "openai", {"id": "rs_1"}),
    ],
)
def test_reasoning_comes_back_as_it_was(thought):
    sealed = seal(thought)
    own = thought.extra_data["id"] if thought.provider_type == "openai" else None
    assert unseal(sealed, thought.text, thought.summary, own) == thought
    assert is_sealed(sealed) == (thought.provider_type != "openai")


def test_a_broken_seal_is_nobodys():
    for broken in ("calibrant.1.!", "calibrant.1.bm90IGpzb24="):
        assert unseal(broken, "t", None, None) == Thought("t", broken, None, "openai")


def head(**fields):
    request = decode(**fields)
    kind = "json" if fields.get("model", "").endswith("json") else "chat"
    return Head(INFERENCE, INFERENCE, "f", "v", kind, request, 1)


def answered(*content, finish="stop", usage=None, **fields):
    made = head(**fields)
    body = openai_responses.encode(Answered(made, content, None, None, usage or Usage(3, 2, 1, None, 1), finish, "0.5"))
    Response.model_validate_json(body)
    return msgspec.json.decode(body)


def test_the_answer_repeats_the_request():
    tools = [{"type": "function", "name": "t", "parameters": {"type": "object"}, "strict": False}]
    body = answered(
        Text("a"), instructions="i", tools=tools, metadata={"a": "b"}, truncation="auto", temperature=0.5, top_p=None
    )
    assert (body["instructions"], body["tools"], body["metadata"]) == ("i", tools, {"a": "b"})
    assert (body["truncation"], body["temperature"], body["top_p"]) == ("auto", 0.5, None)
    assert (body["id"], body["inference_id"], body["episode_id"]) == (f"resp_{INFERENCE}", INFERENCE, INFERENCE)
    assert (body["status"], body["incomplete_details"], body["error"]) == ("completed", None, None)
    assert body["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 5,
        "calibrant_cost": 0.5,
    }


def test_unknown_usage_is_null():
    assert answered(Text("a"), usage=Usage(3, None))["usage"] is None


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_call", "completed", None),
        ("unknown", "completed", None),
        (None, "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_the_status(finish, status, details):
    body = answered(Text("a"), Text("b"), finish=finish)
    assert (body["status"], body["incomplete_details"]) == (status, details)
    assert [item["status"] for item in body["output"]] == ["completed", status]


def test_items():
    body = answered(
        Thought("t", "enc", [{"type": "summary_text", "text": "s"}], "openai", {"id": "rs_1"}),
        ToolCall("1", "f", "{}"),
        ToolCall("2", "c", "x"),
        Unknown(SEARCHED),
        tools=[{"type": "custom", "name": "c"}],
    )
    assert body["output"] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "s"}],
            "content": [{"type": "reasoning_text", "text": "t"}],
            "encrypted_content": "enc",
        },
        {
            "type": "function_call",
            "id": f"fc_{INFERENCE}_1",
            "call_id": "1",
            "name": "f",
            "arguments": "{}",
            "status": "completed",
        },
        {"type": "custom_tool_call", "id": f"ctc_{INFERENCE}_2", "call_id": "2", "name": "c", "input": "x"},
        SEARCHED,
    ]


def kinds(*chunks, finish="stop", **fields):
    events = responses_events.Events(head(**fields))
    last = Answered(head(), (), None, None, Usage(), finish)
    data = b"".join(events.chunk(Chunk(deltas)) for deltas in chunks) + events.final(last)
    return [line.split(b"\n")[0].removeprefix(b"event: response.").decode() for line in data.split(b"\n\n")[:-1]]


def test_the_order_of_events():
    found = kinds(
        (ThoughtDelta("0", summary_id="0", summary_text="s"), ThoughtDelta("0", signature="x", provider_type="openai")),
        (TextDelta("1", "a"),),
        (ToolCallDelta("c1", "", "f"), ToolCallDelta("c2", "x", "c")),
        (ToolCallDelta("c1", "{}"), ToolCallDelta("c2", "y")),
        tools=[{"type": "custom", "name": "c"}],
    )
    assert found == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "output_item.added",
        "custom_tool_call_input.delta",
        "function_call_arguments.delta",
        "custom_tool_call_input.delta",
        "function_call_arguments.done",
        "output_item.done",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]


def test_calls_in_mixed_pieces_come_one_after_the_other():
    events = responses_events.Events(head())
    pieces = [
        Chunk((ToolCallDelta("a", "", "f"), ToolCallDelta("b", "{", "g"))),
        Chunk((ToolCallDelta("a", "{"), ToolCallDelta("b", "}"))),
        Chunk((ToolCallDelta("a", "}"),)),
        Chunk((ToolCallDelta("c", "{", "h"), ToolCallDelta("d", "", "i"))),
        Chunk((TextDelta("0", "Well."), ToolCallDelta("d", "{}"))),
    ]
    data = b"".join([*map(events.chunk, pieces), events.final(Answered(head(), (), None, None, Usage(), "stop"))])
    found = [msgspec.json.decode(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: ")]
    told = [each["output_index"] for each in found if each["type"] == "response.function_call_arguments.delta"]
    # What waits comes before a text that begins: items stand in the order in which they came.
    assert told == [0, 0, 1, 1, 2, 3]
    output = found[-1]["response"]["output"]
    assert [each.get("name") for each in output] == ["f", "g", "h", "i", None]
    assert [each.get("arguments") for each in output] == ["{}", "{}", "{", "{}", None]


def test_a_call_whose_name_comes_late():
    found = kinds((ToolCallDelta("1", "{"),), (ToolCallDelta("1", "}", "f"),))
    assert found[2:] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


def test_an_answer_that_was_cut_ends_so():
    assert kinds((TextDelta("0", "a"),), finish="length")[-1] == "incomplete"


def test_what_is_raw_comes_with_an_event():
    events = responses_events.Events(head(**{"tensorzero::include_raw_response": True}))
    first = events.chunk(Chunk((TextDelta("0", "a"),), raw=b"{1}"))
    silent = events.chunk(Chunk((), raw=b"{2}"))
    for data, raw in ((first, "{1}"), (silent, "{2}")):
        last = data.split(b"\n\n")[-2].split(b"data: ")[1]
        assert msgspec.json.decode(last)["calibrant_raw_chunk"] == raw


def test_what_is_raw_of_calls_before_the_stream_comes_first():
    row = model_inference(INFERENCE, raw_response=b"{0}", raw_usage=b"{}")
    events = responses_events.Events(head(**{"tensorzero::include_raw_response": True}))
    data = events.preceding((row,)) + events.chunk(Chunk((TextDelta("0", "a"),)))
    documents = [msgspec.json.decode(event.split(b"data: ")[1]) for event in data.split(b"\n\n")[:-1]]
    assert [each["type"] for each in documents[:3]] == ["response.created", *["response.in_progress"] * 2]
    assert documents[2]["calibrant_raw_response"][0]["data"] == "{0}"
    assert [each["sequence_number"] for each in documents] == list(range(len(documents)))
    assert responses_events.Events(head()).preceding((row,)) == b""


def test_the_request_can_be_written_again():
    request = decode(tools=[{"type": "web_search"}], previous_response_id=f"resp_{INFERENCE}")
    assert isinstance(request, InferenceRequest)
    assert msgspec.json.encode(request)
