"""Tools that are called with text, a choice among some tools, and the JSON modes, through a real gateway."""

import jiter
import msgspec
import openai
import pytest
from tensorzero import TensorZeroError, TensorZeroGateway
from tests.contract.providers.dialects import openai_responses
from tests.support.canned import Reply, canned
from tests.support.gateway import gateway

CONFIG = """
[models.chat]
routing = ["p"]
[models.chat.providers.p]
type = "openai"
model_name = "m"
api_base = "{base}/v1"
api_key_location = "none"

[models.responses]
routing = ["p"]
[models.responses.providers.p]
type = "openai"
api_type = "responses"
model_name = "m"
api_base = "{base}/v1"
api_key_location = "none"

[models.claude]
routing = ["p"]
[models.claude.providers.p]
type = "anthropic"
model_name = "claude-sonnet-4-5"
api_base = "{base}"
api_key_location = "none"

[tools.weather]
description = "The weather."
parameters = "weather.json"
[tools.news]
description = "The news."
parameters = "weather.json"

[functions.agent]
type = "chat"
tools = ["weather", "news"]
variants.only = {{ type = "chat_completion", model = "chat" }}

[functions.extract]
type = "json"
output_schema = "person.json"
variants.off = {{ type = "chat_completion", model = "chat", json_mode = "off" }}
variants.tool = {{ type = "chat_completion", model = "chat", json_mode = "tool" }}
variants.claude = {{ type = "chat_completion", model = "claude", json_mode = "tool" }}
"""
WEATHER = '{"type":"object","properties":{"city":{"type":"string"}}}'
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
HELLO = [{"role": "user", "content": "Hello"}]
GRAMMAR = {"syntax": "lark", "definition": 'start: "SELECT 1"'}
SQL = {
    "type": "custom",
    "custom": {
        "name": "sql",
        "description": "Runs a query.",
        "format": {"type": "grammar", "grammar": GRAMMAR},
    },
}
CALL = {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
JSON = '{"name":"Ada \\u00e9","tags":["a","b"]}'
ITEM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "sql", "input": "SELECT 1"}


def events(*found):
    return Reply(b"".join(b"data: %s\n\n" % each for each in found), "text/event-stream")


def upstream(seen):
    """Call the custom tool where there is one, else answer JSON in the way that was asked for."""
    asked = msgspec.json.decode(seen.body)
    if seen.path.endswith("/responses"):
        return responses(asked)
    if seen.path.endswith("/messages"):
        return messages()
    kinds = [tool["type"] for tool in asked.get("tools", [])]
    if "custom" in kinds:
        message, pieces = {"tool_calls": [CALL]}, custom_pieces()
    elif any(tool["function"]["name"] == "respond" for tool in asked.get("tools", [])):
        calls = [{"id": "c", "type": "function", "function": {"name": "respond", "arguments": JSON}}]
        message, pieces = {"content": "Here it is:", "tool_calls": calls}, json_pieces()
    else:
        message, pieces = {"content": JSON}, [{"content": JSON[at : at + 3]} for at in range(0, len(JSON), 3)]
    base = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": "stop"}
        return Reply(msgspec.json.encode({**base, "choices": [choice]}))
    chunks = [{"index": 0, "delta": piece, "finish_reason": None} for piece in pieces]
    chunks.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return events(*(msgspec.json.encode({**base, "choices": [chunk]}) for chunk in chunks), b"[DONE]")


def custom_pieces():
    yield {"tool_calls": [{"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "sql", "input": ""}}]}
    for piece in ("SELECT", " 1"):
        yield {"tool_calls": [{"index": 0, "custom": {"input": piece}}]}


def json_pieces():
    yield {"content": "Here it is:"}
    yield {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "respond"}}]}
    for at in range(0, len(JSON), 3):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": JSON[at : at + 3]}}]}


def responses(asked):
    body = openai_responses.body([ITEM])
    if not asked.get("stream"):
        return Reply(msgspec.json.encode(body))
    where = {"item_id": "ctc_1", "output_index": 0}
    delta = {"type": "response.custom_tool_call_input.delta", **where}
    return Reply(
        openai_responses.events(
            {"type": "response.output_item.added", "output_index": 0, "item": {**ITEM, "input": ""}},
            {**delta, "delta": "SELECT"},
            {**delta, "delta": " 1"},
            {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
            {"type": "response.completed", "response": body},
        ),
        "text/event-stream",
    )


def messages():
    """Anthropic's stream: a preamble, then the JSON tool."""
    tool = {"type": "tool_use", "id": "t", "name": "respond", "input": {}}
    begun = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": []}
    parts = [
        {"type": "message_start", "message": {**begun, "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Here it is:"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": tool},
        *(
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "input_json_delta", "partial_json": JSON[at : at + 3]},
            }
            for at in range(0, len(JSON), 3)
        ),
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    return events(*map(msgspec.json.encode, parts))


@pytest.fixture(scope="module")
def server():
    with canned(upstream) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, server):
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "weather.json").write_text(WEATHER)
    (folder / "person.json").write_bytes(msgspec.json.encode(PERSON))
    with gateway(folder, CONFIG.format(base=server.base)) as started:
        yield started


@pytest.fixture
def client(running):
    with openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
def native(running):
    with TensorZeroGateway.build_http(gateway_url=running.url) as made:
        yield made


def sent(server):
    return msgspec.json.decode(server.seen[-1].body)


@pytest.mark.parametrize("model", ["chat", "responses"])
def test_the_openai_sdk_calls_a_tool_with_text(client, server, model):
    model = f"tensorzero::model_name::{model}"
    answer = client.chat.completions.create(model=model, messages=HELLO, tools=[SQL])
    (call,) = answer.choices[0].message.tool_calls
    assert (call.type, call.id, call.custom.name, call.custom.input) == ("custom", "call_1", "sql", "SELECT 1")
    turn = [*HELLO, answer.choices[0].message, {"role": "tool", "tool_call_id": "call_1", "content": "1"}]
    client.chat.completions.create(model=model, messages=turn, tools=[SQL])
    if "responses" in model:
        kinds = [item["type"] for item in sent(server)["input"]]
        assert kinds == ["message", "custom_tool_call", "custom_tool_call_output"]
        assert sent(server)["tools"][0]["format"] == {"type": "grammar", **GRAMMAR}
    else:
        assert sent(server)["messages"][1]["tool_calls"] == [CALL]
        assert sent(server)["tools"] == [SQL]


@pytest.mark.parametrize("model", ["chat", "responses"])
def test_a_call_with_text_is_streamed(client, model):
    stream = client.chat.completions.create(
        model=f"tensorzero::model_name::{model}", messages=HELLO, tools=[SQL], stream=True
    )
    calls = [call for chunk in stream if chunk.choices for call in chunk.choices[0].delta.tool_calls or []]
    # The SDK's types for pieces know functions alone; what it does not know it keeps.
    told = [call.model_extra["custom"] for call in calls]
    assert "".join(each["input"] for each in told) == "SELECT 1"
    assert [each["name"] for each in told if "name" in each] == ["sql"]
    assert (calls[0].id, calls[0].type, calls[0].function) == ("call_1", "custom", None)


@pytest.mark.parametrize("model", ["chat", "responses"])
@pytest.mark.parametrize("streams", [False, True])
def test_the_native_dialect_calls_a_tool_with_text(running, model, streams):
    """Over plain HTTP: TensorZero's own client takes tools with parameters only."""
    tool = {"type": "openai_custom", "name": "sql", "description": "Runs a query."}
    tool["format"] = {"type": "grammar", "grammar": GRAMMAR}
    asked = {"model_name": model, "input": {"messages": HELLO}, "additional_tools": [tool], "stream": streams}
    answer = running.infer(asked)
    assert answer.status_code == 200, answer.text
    if not streams:
        called = {"type": "tool_call", "id": "call_1", "raw_name": "sql", "raw_arguments": "SELECT 1"}
        assert answer.json()["content"] == [called | {"name": "sql", "arguments": None}]
        return
    parts = [part.removeprefix("data: ") for part in answer.text.split("\n\n") if part.startswith("data: {")]
    blocks = [block for part in parts for block in msgspec.json.decode(part)["content"]]
    assert "".join(block["raw_arguments"] for block in blocks) == "SELECT 1"
    assert {block["raw_name"] for block in blocks if block["raw_name"]} == {"sql"}


def test_who_has_no_such_tool_says_so(client):
    with pytest.raises(openai.InternalServerError, match="has no custom tools, so it cannot be given 'sql'"):
        client.chat.completions.create(model="tensorzero::model_name::claude", messages=HELLO, tools=[SQL])


def test_some_of_the_tools_may_be_called(native, client, server):
    native.inference(function_name="agent", input={"messages": HELLO}, allowed_tools=["news"])
    assert [tool["function"]["name"] for tool in sent(server)["tools"]] == ["weather", "news"]
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "news"}}]}
    assert sent(server)["tool_choice"] == {"type": "allowed_tools", "allowed_tools": allowed}
    choice = {"type": "allowed_tools", "allowed_tools": {**allowed, "mode": "required"}}
    client.chat.completions.create(model="tensorzero::function_name::agent", messages=HELLO, tool_choice=choice)
    assert sent(server)["tool_choice"] == choice
    with pytest.raises(TensorZeroError, match="'weather' is not among `allowed_tools`") as caught:
        native.inference(
            function_name="agent",
            input={"messages": HELLO},
            allowed_tools=["news"],
            tool_choice={"specific": "weather"},
        )
    assert caught.value.status_code == 400


@pytest.mark.parametrize("variant", ["off", "tool", "claude"])
def test_the_stream_of_a_json_function_can_be_read_as_it_comes(native, running, variant):
    chunks = native.inference(function_name="extract", variant_name=variant, input={"messages": HELLO}, stream=True)
    so_far, seen = "", None
    last = None
    for chunk in chunks:
        last = chunk
        so_far += chunk.raw or ""
        if chunk.raw:
            seen = jiter.from_json(so_far.encode(), partial_mode="trailing-strings")
            assert isinstance(seen, dict)
    assert (so_far, seen) == (JSON, {"name": "Ada é", "tags": ["a", "b"]})
    row = running.inference(str(last.inference_id))
    assert row["status"] == "ok"


def test_the_json_tool_of_a_chat_function(client, native):
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}
    answer = client.chat.completions.create(
        model="tensorzero::model_name::chat",
        messages=HELLO,
        response_format=form,
        extra_body={"tensorzero::params": {"chat_completion": {"json_mode": "tool"}}},
    )
    assert answer.choices[0].message.content.endswith(JSON)
    assert answer.choices[0].message.tool_calls is None
    with pytest.raises(openai.BadRequestError, match="there can be no other: leave out the tool 'weather'"):
        client.chat.completions.create(
            model="tensorzero::function_name::agent",
            messages=HELLO,
            response_format=form,
            extra_body={"tensorzero::params": {"chat_completion": {"json_mode": "tool"}}},
        )
