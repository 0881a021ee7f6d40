"""What a caller of OpenAI's chat dialect wrote reaches a provider of it unaltered but for the model's name."""

import openai
import pytest
from tests.support.fake_vendors import fakes
from tests.support.gateway import gateway

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
FUNCTIONS = """
[functions.brief]
type = "chat"
system_schema = "system.json"
variants.only = { type = "chat_completion", model = "chat", system_template = "system.minijinja", temperature = 0.5 }
"""
SYSTEM = '{"type":"object","properties":{"topic":{"type":"string"}},"required":["topic"]}'
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather.", "parameters": SCHEMA, "strict": True},
}
CALLS = [
    {"id": f"call_{n}", "type": "function", "function": {"name": "get_weather", "arguments": '{"name": "x"}'}}
    for n in range(2)
]
MESSAGES = [
    {"role": "developer", "content": "Be brief.", "name": "desk"},
    {"role": "system", "content": [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be quick."}]},
    {
        "role": "user",
        "name": "Ada",
        "content": [
            {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
            {"type": "text", "text": "And?", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        ],
    },
    {"role": "assistant", "content": None, "refusal": "No.", "name": "desk"},
    {"role": "user", "content": "Do."},
    {"role": "assistant", "audio": {"id": "audio_1"}, "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "call_0", "content": "sun", "name": "get_weather"},
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "rain é\u2028"}]},
    {"role": "system", "content": "Now in Latin."},
    {"role": "user", "content": "Go on"},
]
PASSED = {
    "audio": {"voice": "alloy", "format": "wav"},
    "logit_bias": {"50256": -100, "7": 1.5},
    "logprobs": True,
    "top_logprobs": 3,
    "metadata": {"a": "b"},
    "modalities": ["text", "audio"],
    "moderation": {"model": "omni"},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "implicit"},
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "store": True,
    "user": "u",
    "web_search_options": {"search_context_size": "low"},
}
WRITTEN = {
    **PASSED,
    "messages": MESSAGES,
    "tools": [WEATHER],
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "parallel_tool_calls": False,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "person", "description": "Somebody.", "schema": SCHEMA, "strict": False},
    },
    "max_completion_tokens": 100,
    "temperature": 0.25,
    "top_p": 0.5,
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "stop": ["a", "b"],
    "reasoning_effort": "low",
    "service_tier": "flex",
    "verbosity": "low",
}


@pytest.fixture(scope="module")
def providers():
    with fakes() as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, providers):
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "system.json").write_text(SYSTEM)
    (folder / "system.minijinja").write_text("Speak of {{ topic }}.")
    with gateway(folder, providers.models() + FUNCTIONS) as started:
        yield started


@pytest.fixture
def client(running):
    with openai.OpenAI(base_url=f"{running.url}/openai/v1", api_key="none", max_retries=0) as made:
        yield made


def test_it_arrives_as_it_was_written(client, providers):
    asked = {"model": "tensorzero::model_name::chat", "messages": []}
    ours = {"tensorzero::tags": {"t": "1"}, "calibrant::episode_id": None}
    answer = client.chat.completions.create(**asked, extra_body={**WRITTEN, **ours})
    assert answer.choices[0].message.content == '{"name":"Ada","age":36}'
    assert providers.last == {"model": "upstream", **WRITTEN}
    with client.chat.completions.stream(**asked, extra_body=WRITTEN) as stream:
        assert stream.get_final_completion().choices[0].message.content == '{"name":"Ada","age":36}'
    assert providers.last == {
        "model": "upstream",
        **WRITTEN,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_request_without_any_of_it_arrives_as_it_was_written(client, providers):
    written = {
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}],
        "temperature": 0.25,
        "tools": [WEATHER],
    }
    client.chat.completions.create(model="tensorzero::model_name::chat", **written)
    assert providers.last == {"model": "upstream", **written}


def test_what_configuration_asks_for_stays(client, providers):
    topic = {"role": "system", "content": [{"type": "text", "tensorzero::arguments": {"topic": "tea"}}]}
    named = {"role": "user", "content": "Well?", "name": "Ada"}
    client.chat.completions.create(
        model="tensorzero::function_name::brief",
        messages=[topic, named],
        user="u",
        extra_body={"tensorzero::params": {"chat_completion": {"max_tokens": 9}}},
        max_tokens=100,
    )
    assert providers.last == {
        "model": "upstream",
        "messages": [{"role": "system", "content": "Speak of tea."}, named],
        "temperature": 0.5,
        "max_completion_tokens": 9,
        "user": "u",
    }


@pytest.mark.parametrize("model", ["responses", "anthropic", "gemini"])
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"audio": {"voice": "v"}}, r"\$.audio"),
        ({"modalities": ["text", "audio"]}, r"\$.modalities"),
        ({"web_search_options": {}}, r"\$.web_search_options"),
    ],
)
def test_what_another_dialect_cannot_be_told_is_a_400_that_names_it(client, providers, model, fields, named):
    before = len(providers.bodies)
    with pytest.raises(openai.BadRequestError, match=named):
        client.chat.completions.create(
            model=f"tensorzero::model_name::{model}", messages=[{"role": "user", "content": "x"}], extra_body=fields
        )
    assert len(providers.bodies) == before


def test_hints_are_left_out_for_other_providers(client, providers):
    hints = {key: PASSED[key] for key in PASSED if key not in ("audio", "modalities", "web_search_options")}
    client.chat.completions.create(
        model="tensorzero::model_name::anthropic",
        messages=[{"role": "user", "content": "x", "name": "Ada"}],
        extra_body=hints,
    )
    assert set(providers.last) == {"model", "max_tokens", "messages"}
    assert providers.last["messages"] == [{"role": "user", "content": "x"}]
