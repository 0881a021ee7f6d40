"""The official OpenAI SDK, unmodified, on the Responses dialect; to providers of four dialects."""

import json

import openai
import pytest
from pydantic import BaseModel
from tests.support.fake_vendors import ADA, CITIES, DIALECTS, ENCRYPTED, SIGNATURE, fakes
from tests.support.gateway import gateway

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
FUNCTIONS = """
[functions.brief]
type = "chat"
user_schema = "user.json"
variants.only = { type = "chat_completion", model = "responses", user_template = "user.minijinja", temperature = 0.5 }

[functions.hidden]
type = "chat"
record.payloads = "metadata"
variants.only = { type = "chat_completion", model = "chat" }

[functions.person]
type = "json"
output_schema = "person.json"
variants.only = { type = "chat_completion", model = "chat", json_mode = "strict" }

[metrics.good]
type = "boolean"
optimize = "max"
level = "inference"
"""
PERSON = '{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"]}'
USER = '{"type":"object","properties":{"topic":{"type":"string"}},"required":["topic"]}'

_SLOW = ("anthropic", "gemini")
each_dialect = pytest.mark.parametrize(
    "model", [pytest.param(name, marks=pytest.mark.slow if name in _SLOW else ()) for name in DIALECTS]
)


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def providers():
    with fakes() as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, providers):
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "person.json").write_text(PERSON)
    (folder / "user.json").write_text(USER)
    (folder / "user.minijinja").write_text("Speak of {{ topic }}.")
    with gateway(folder, providers.models() + FUNCTIONS, args=["--workers", "2"]) as started:
        yield started


@pytest.fixture
def client(running):
    with openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key="none", max_retries=0) as made:
        yield made


@each_dialect
def test_create(client, running, model):
    answer = client.responses.create(
        model=model, instructions="Be kind.", input="Hello", temperature=0.5, metadata={"user": "7"}
    )
    assert answer.output_text == "You said 'Hello'; I remember 1."
    assert (answer.status, answer.model, answer.instructions) == ("completed", model, "Be kind.")
    assert (answer.temperature, answer.metadata, answer.store) == (0.5, {"user": "7"}, True)
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (10, 5, 15)
    assert answer.usage.input_tokens_details.cached_tokens == 2
    row = running.inference(answer.inference_id)
    assert (row["dialect"], row["function_name"], row["variant_name"]) == (
        "openai_responses",
        "tensorzero::default",
        model,
    )
    assert json.loads(row["tags"]) == {"user": "7"}
    # An answer can be judged by the id that came with it.
    judged = running.post("/feedback", {"metric_name": "good", "value": True, "inference_id": answer.inference_id})
    assert judged.status_code == 200


@each_dialect
def test_a_stream_and_its_events(client, model):
    with client.responses.stream(model=model, input="Hello") as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-5:] == [
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == final.output_text == "You said 'Hello'; I remember 1."
    assert final.usage.total_tokens == 15


@each_dialect
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("remembered", [False, True])
def test_a_conversation_with_parallel_tools(client, providers, model, streamed, remembered):
    def ask(**fields):
        asked = {"model": model, "tools": [WEATHER], **fields}
        if not streamed:
            return client.responses.create(**asked)
        with client.responses.stream(**asked) as stream:
            for _ in stream:
                pass
            return stream.get_final_response()

    question = [{"role": "user", "content": "The weather?"}]
    first = ask(input=question)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["city"] for call in calls] == list(CITIES)
    assert {call.name for call in calls} == {"get_weather"}
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{city}: sun"}
        for call, city in zip(calls, CITIES, strict=True)
    ]
    if remembered:
        second = ask(input=results, previous_response_id=first.id)
    else:
        output = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
        second = ask(input=[*question, *output, *results])
    assert second.output_text == "Rome: sun; Oslo: sun"
    # What the model thought goes back to it as its provider wants it.
    sent = json.dumps(providers.last)
    assert {"chat": "call_Rome", "responses": ENCRYPTED}.get(model, SIGNATURE) in sent
    third = ask(input="And now?", previous_response_id=second.id)
    assert third.output_text == "You said 'And now?'; I remember 2."
    assert third.previous_response_id == second.id
    assert third.episode_id == second.episode_id


@each_dialect
def test_parse(client, model):
    answer = client.responses.parse(model=model, input="Who?", text_format=Person)
    assert answer.output_parsed == Person(name="Ada", age=36)
    with client.responses.stream(model=model, input="Who?", text_format=Person) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_parsed == Person(name="Ada", age=36)


def test_a_json_function(client):
    answer = client.responses.parse(model="tensorzero::function_name::person", input="Who?", text_format=Person)
    assert answer.output_parsed == Person(name="Ada", age=36)
    assert answer.model == "tensorzero::function_name::person::variant_name::only"
    plain = client.responses.create(model="calibrant::function_name::person", input="Who?")
    assert plain.output_text == ADA


def test_what_the_caller_wrote_reaches_a_provider_of_the_dialect(client, providers):
    """Unaltered but for the model's name."""
    written = {
        "input": [
            {"role": "developer", "content": "Be brief."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Hello", "prompt_cache_breakpoint": {"mode": "explicit"}},
                    {"type": "input_image", "file_id": "file_1", "detail": "original"},
                    {"type": "of_the_future", "what": [1.0, 1e300, "é\u2028"]},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA+/=="},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "phase": "commentary",
                "status": "completed",
                "content": [{"type": "output_text", "text": "x", "annotations": [{"type": "file_path"}]}],
            },
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "patch", "input": "*** Begin"},
            {
                "type": "custom_tool_call_output",
                "call_id": "c1",
                "output": [{"type": "input_image", "image_url": "https://x.test/a.png"}],
            },
            {"type": "item_reference", "id": "msg_of_theirs"},
            {"role": "user", "content": "Go on"},
        ],
        "instructions": "Be kind.",
        "tools": [
            {**WEATHER, "defer_loading": True},
            {"type": "function", "name": "loose", "parameters": None, "strict": None},
            {
                "type": "custom",
                "name": "patch",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"},
            },
            {"type": "web_search", "filters": {"allowed_domains": ["x.test"]}},
            {"type": "mcp", "server_label": "m", "server_url": "https://m.test", "require_approval": "never"},
        ],
        "tool_choice": {"type": "mcp", "server_label": "m"},
        "parallel_tool_calls": False,
        "text": {
            "format": {"type": "json_schema", "name": "n", "description": "d", "schema": {"type": "object"}},
            "verbosity": "low",
        },
        "reasoning": {"effort": "high", "mode": "pro"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 3,
        "max_output_tokens": 100,
        "max_tool_calls": 2,
        "temperature": 1,
        "top_p": 0.5,
        "truncation": "auto",
        "service_tier": "flex",
        "store": False,
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "context_management": [{"type": "compaction", "compact_threshold": 1000}],
        "moderation": {"model": "omni"},
        "prompt": {"id": "pmpt_1"},
        "client_metadata": {"session": "1"},
        "field_of_the_future": {"x": None},
    }
    extra = {"tensorzero::tags": {"t": "1"}, "calibrant::episode_id": None}
    client.responses.create(model="responses", extra_body={**written, **extra}, input="overwritten")
    assert providers.last == {"model": "upstream", **written}
    with client.responses.stream(model="responses", extra_body=written, input="overwritten") as stream:
        for _ in stream:
            pass
    assert providers.last == {"model": "upstream", "stream": True, **written}
    client.responses.create(model="responses", input="only this")
    assert providers.last == {"model": "upstream", "input": [{"role": "user", "content": "only this"}]}


def test_what_configuration_asks_for_stays(client, providers):
    topic = [{"type": "input_text", "tensorzero::arguments": {"topic": "tea"}}]
    client.responses.create(
        model="tensorzero::function_name::brief",
        input=[{"role": "user", "content": topic}],
        truncation="auto",
        text={"verbosity": "low"},
        extra_body={"tensorzero::params": {"chat_completion": {"verbosity": "high", "max_tokens": 9}}},
    )
    assert providers.last == {
        "model": "upstream",
        "input": [{"type": "message", "role": "user", "content": "Speak of tea."}],
        "temperature": 0.5,
        "max_output_tokens": 9,
        "truncation": "auto",
        "text": {"verbosity": "high"},
    }


@pytest.mark.parametrize("model", ["chat", "anthropic", "gemini"])
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tools": [WEATHER, {"type": "web_search"}]}, r"\$.tools\[1\] of type 'web_search'"),
        ({"prompt": {"id": "p"}}, r"\$.prompt"),
        ({"top_logprobs": 2}, r"\$.top_logprobs"),
        ({"max_tool_calls": 2}, r"\$.max_tool_calls"),
        ({"include": ["message.output_text.logprobs"]}, r"\$.include"),
        ({"reasoning": {"mode": "pro"}}, r"\$.reasoning.mode"),
        ({"tool_choice": {"type": "web_search"}}, r"\$.tool_choice of type 'web_search'"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
            r"\$.input\[0\].content\[0\].file_id",
        ),
        ({"input": [{"type": "computer_call_output", "call_id": "c", "output": {}}]}, r"\$.input\[0\]"),
        ({"input": [{"type": "item_reference", "id": "msg_x"}]}, r"\$.input\[0\].id"),
    ],
)
def test_what_another_dialect_cannot_be_told_is_a_400_that_names_it(client, providers, model, fields, named):
    before = len(providers.bodies)
    with pytest.raises(openai.BadRequestError, match=named):
        client.responses.create(**{"model": model, "input": "x", **fields})
    assert len(providers.bodies) == before


def test_hints_are_left_out_for_other_providers(client, providers):
    client.responses.create(
        model="chat",
        input="x",
        truncation="auto",
        user="u",
        safety_identifier="s",
        prompt_cache_key="k",
        include=["reasoning.encrypted_content"],
        reasoning={"summary": "auto"},
        stream_options={"include_obfuscation": False},
    )
    assert providers.last == {"model": "upstream", "messages": [{"role": "user", "content": "x"}]}


def test_a_chain_survives_a_restart_and_workers_know_of_each_other(tmp_path, providers):
    with gateway(tmp_path, providers.models(), args=["--workers", "2"]) as started:
        last = None
        for turn in range(1, 9):
            # A new connection each time, so that both workers answer.
            with openai.OpenAI(base_url=f"{started.url}/v1", api_key="none", max_retries=0) as client:
                last = client.responses.create(
                    model="chat", input=f"turn {turn}", previous_response_id=last and last.id
                )
                assert last.output_text == f"You said 'turn {turn}'; I remember {turn}."
    with (
        gateway(tmp_path, providers.models()) as started,
        openai.OpenAI(base_url=f"{started.url}/v1", api_key="none", max_retries=0) as client,
    ):
        again = client.responses.create(model="anthropic", input="turn 9", previous_response_id=last.id)
        assert again.output_text == "You said 'turn 9'; I remember 9."
        assert again.episode_id == last.episode_id
        assert started.inference(again.inference_id)["worker"] != started.inference(last.inference_id)["worker"]
        seen = client.responses.retrieve(last.id)
        assert seen.output_text == last.output_text
        assert (seen.model, seen.usage.total_tokens, seen.previous_response_id) == (
            "chat",
            15,
            last.previous_response_id,
        )


def test_what_stays_of_the_conversation(client, providers):
    first = client.responses.create(
        model="chat",
        instructions="Be kind.",
        input=[{"role": "developer", "content": "Speak Latin."}, {"role": "user", "content": "Hello"}],
    )
    second = client.responses.create(model="chat", input="And?", previous_response_id=first.id)
    third = client.responses.create(model="chat", instructions="Be brief.", input="So?", previous_response_id=second.id)
    # Instructions are of one request, messages of the conversation.
    systems = [m["content"] for m in providers.last["messages"] if m["role"] in ("system", "developer")]
    assert systems == ["Be brief.\nSpeak Latin."]
    client.responses.create(model="responses", input="So?", previous_response_id=third.id)
    assert "instructions" not in providers.last
    assert providers.last["input"][0] == {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": "Speak Latin."}],
    }
    assert providers.last["input"][-1] == {"role": "user", "content": "So?"}


def test_an_item_is_found_by_its_id(client, providers):
    first = client.responses.create(model="chat", input="Hello")
    asked = [
        {"role": "user", "content": "Hello"},
        {"type": "item_reference", "id": first.output[0].id},
        {"role": "user", "content": "Go on"},
    ]
    for model in ("chat", "responses"):
        client.responses.create(model=model, input=asked)
        assert first.output_text in json.dumps(providers.last)
        assert "item_reference" not in json.dumps(providers.last)
    with pytest.raises(openai.BadRequestError, match="no item"):
        bad = {"type": "item_reference", "id": first.output[0].id[:-1] + "7"}
        client.responses.create(model="chat", input=[bad])


def test_what_cannot_be_gone_on_from(client, running):
    def refused(error, match, **fields):
        with pytest.raises(error, match=match) as caught:
            client.responses.create(model="chat", input="x", **fields)
        return caught.value

    for unknown in ("resp_0196ffff-0000-7000-8000-000000000000", "resp_68a1"):
        error = refused(openai.NotFoundError, unknown, previous_response_id=unknown)
        assert (error.code, error.param) == ("previous_response_not_found", "previous_response_id")
        with pytest.raises(openai.NotFoundError, match=unknown):
            client.responses.retrieve(unknown)
    forgotten = client.responses.create(model="chat", input="x", store=False)
    assert forgotten.store is False
    refused(openai.NotFoundError, forgotten.id, previous_response_id=forgotten.id)
    with pytest.raises(openai.NotFoundError, match=forgotten.id):
        client.responses.retrieve(forgotten.id)
    hidden = client.responses.create(model="tensorzero::function_name::hidden", input="x")
    refused(openai.BadRequestError, "record.payloads", previous_response_id=hidden.id)
    refused(openai.BadRequestError, "in the background", background=True)
    refused(openai.BadRequestError, "previous_response_id", conversation="conv_1")
    result = [{"type": "function_call_output", "call_id": "nope", "output": "x"}]
    with pytest.raises(openai.BadRequestError, match="nope"):
        client.responses.create(model="chat", input=result)
    with pytest.raises(openai.BadRequestError, match="nope"):
        client.responses.create(
            model="chat", input=result, previous_response_id=client.responses.create(model="chat", input="x").id
        )
