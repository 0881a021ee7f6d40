"""An edge gateway that has a central one make its calls: real processes, both records, keys at the central one only."""

import subprocess
import sys

import msgspec
import openai
import pytest
from tests.support.faults import no_traceback
from tests.support.gateway import gateway

from calibrant.testing.faults import Answer, Script, Tokens, ToolUse, json_answer
from calibrant.testing.upstream import run_upstream

PERSON = '{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"]}'
WEATHER = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
SCRIPTS = {
    "plain": Script(answer=Answer(tokens=Tokens(prompt=11, completion=7, cached=4))),
    "dynamic": Script(answer=Answer(tokens=Tokens(prompt=1, completion=1))),
    "json": Script(answer=json_answer({"name": "Ada", "age": 36})),
    "tools": Script(answer=Answer(tool_calls=(ToolUse(name="weather", arguments='{"city":"Paris"}'),))),
}
CENTRAL = "[spool]\nmin_free_bytes = 0\n[gateway.auth]\nenabled = true\n"
EDGE = """
[spool]
min_free_bytes = 0
[gateway.relay]
gateway_url = "{url}/"
api_key_location = "env::CENTRAL_KEY"

[functions.chat]
type = "chat"
system_schema = "day.json"
variants.only = {{ type = "chat_completion", model = "plain", system_template = "system.minijinja", temperature = 0.5 }}

[functions.extract]
type = "json"
output_schema = "person.json"
variants.only = {{ type = "chat_completion", model = "json", json_mode = "strict" }}

[functions.act]
type = "chat"
tools = ["weather"]
variants.only = {{ type = "chat_completion", model = "tools" }}

[functions.broken]
type = "chat"
variants.only = {{ type = "chat_completion", model = "unknown" }}

[tools.weather]
description = "The weather."
parameters = "weather.json"
"""
HELLO = {"messages": [{"role": "user", "content": "Hello?"}]}


def central_model(name, url):
    location = "dynamic::mine" if name == "dynamic" else "none"
    return (
        f'[models.{name}]\nrouting = ["p"]\n[models.{name}.providers.p]\ntype = "openai"\nmodel_name = "{name}"\n'
        f'api_base = "{url}"\napi_key_location = "{location}"\n'
        'cost = [{pointer = "/usage/prompt_tokens", cost_per_million = 1000000}]\n'
    )


def edge_model(name):
    """A model as it is at the edge: whoever answers there has an address and a key that nobody has."""
    return (
        f'[models.{name}]\nrouting = ["p"]\n[models.{name}.providers.p]\ntype = "openai"\nmodel_name = "x"\n'
        'api_base = "http://127.0.0.1:1"\napi_key_location = "env::NOBODY_HAS_IT"\n'
    )


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models=SCRIPTS, keep=1000) as running:
        yield running


@pytest.fixture(scope="module")
def central(tmp_path_factory, upstream):
    config = CENTRAL + "".join(central_model(name, upstream.url) for name in SCRIPTS)
    with gateway(tmp_path_factory.mktemp("central"), config) as running:
        yield running
        no_traceback(running)


@pytest.fixture(scope="module")
def key(central):
    command = [sys.executable, "-m", "calibrant", "key", "create", "--role", "inference", "--data-dir"]
    done = subprocess.run([*command, str(central.data_dir)], capture_output=True, text=True, cwd=central.folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def edge(tmp_path_factory, central, key):
    folder = tmp_path_factory.mktemp("edge")
    (folder / "person.json").write_text(PERSON)
    (folder / "weather.json").write_text(WEATHER)
    (folder / "day.json").write_text('{"type":"object","properties":{"day":{"type":"string"}},"required":["day"]}')
    (folder / "system.minijinja").write_text("Today is {{ day }}.")
    config = EDGE.format(url=central.url) + "".join(edge_model(name) for name in (*SCRIPTS, "unknown"))
    with gateway(folder, config, env={"CENTRAL_KEY": key}) as running:
        yield running
        no_traceback(running)


def records(edge, central, inference_id):
    """The row of the edge, that of its one call, and the rows of the inference at the central gateway."""
    row = edge.inference(inference_id)
    (call,) = edge.model_inferences(inference_id)
    there = central.inference(call["provider_request_id"])
    return row, call, there, central.model_inferences(call["provider_request_id"])


def last(upstream):
    return msgspec.json.decode(upstream.captured[-1].body)


def test_chat_is_rendered_here_and_called_there(edge, central, upstream, key):
    body = {"function_name": "chat", "input": HELLO | {"system": {"day": "Monday"}}, "tags": {"user": "u1"}}
    answer = edge.infer(body).json()
    assert answer["variant_name"] == "only" and answer["content"][0]["text"]
    assert answer["usage"] == {
        "input_tokens": 11,
        "output_tokens": 7,
        "cost": 11,
        "provider_cache_read_input_tokens": 4,
        "provider_cache_write_input_tokens": None,
    }
    sent = last(upstream)
    assert sent["messages"][0] == {"role": "system", "content": "Today is Monday."} and sent["temperature"] == 0.5
    row, call, there, calls = records(edge, central, answer["inference_id"])
    assert (row["function_name"], row["cost"], call["cost"], call["price_version"]) == ("chat", "11", "11", "provider")
    assert (call["provider_name"], call["provider_type"], call["model_name"]) == (*["tensorzero::relay"] * 2, "plain")
    assert there["function_name"] == "tensorzero::default" and there["variant_name"] == "plain"
    tags = msgspec.json.decode(there["tags"])
    assert tags == {"user": "u1", "tensorzero::api_key_public_id": key[6:18]}
    assert [each["status"] for each in calls] == ["ok"] and there["cost"] == "11"


def test_a_stream(edge, central):
    with openai.OpenAI(base_url=f"{edge.url}/openai/v1", api_key="none", max_retries=0) as client:
        events = list(
            client.chat.completions.create(
                model="tensorzero::model_name::plain",
                messages=HELLO["messages"],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    text = "".join(e.choices[0].delta.content or "" for e in events if e.choices)
    assert text and events[-1].usage.prompt_tokens == 11
    row, call, there, calls = records(edge, central, events[0].id)
    assert row["stream"] == there["stream"] == 1 and row["ttft_ms"] and row["finish_reason"] == "stop"
    assert (row["input_tokens"], row["output_tokens"], row["cost"]) == (11, 7, "11")
    assert calls[0]["status"] == call["status"] == "ok"


def test_tools(edge, upstream):
    answer = edge.infer({"function_name": "act", "input": HELLO, "tool_choice": {"specific": "weather"}}).json()
    (call,) = [block for block in answer["content"] if block["type"] == "tool_call"]
    assert (call["name"], call["arguments"], call["raw_name"]) == ("weather", {"city": "Paris"}, "weather")
    assert answer["finish_reason"] == "tool_call"
    sent = last(upstream)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["weather"]
    assert sent["tool_choice"]["function"]["name"] == "weather"
    given = [
        *HELLO["messages"],
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "id": call["id"], "name": "weather", "result": "rain"}]},
    ]
    assert edge.infer({"function_name": "act", "input": {"messages": given}}).status_code == 200
    assert [message["role"] for message in last(upstream)["messages"]] == ["user", "assistant", "tool"]


@pytest.mark.parametrize("mode", ["strict", "on", "tool"])
def test_a_json_function(edge, central, upstream, mode):
    params = {"chat_completion": {"json_mode": mode}}
    answer = edge.infer({"function_name": "extract", "input": HELLO, "params": params}).json()
    assert answer["output"]["parsed"] == {"name": "Ada", "age": 36}
    sent = last(upstream)
    if mode == "tool":
        assert sent["tools"][0]["function"]["parameters"] == msgspec.json.decode(PERSON)
    else:
        assert sent["response_format"]["type"] == {"strict": "json_schema", "on": "json_object"}[mode]
    records(edge, central, answer["inference_id"])


def test_credentials_pass_on_and_are_in_no_record(edge, central, upstream, key):
    body = {"model_name": "dynamic", "input": HELLO, "credentials": {"mine": "sk-very-secret"}}
    body["extra_headers"] = [{"name": "x-tenant", "value": "hush-hush"}]
    body["extra_body"] = [{"pointer": "/user", "value": "u7"}]
    answer = edge.infer(body).json()
    headers = dict(upstream.captured[-1].headers)
    assert headers["authorization"] == "Bearer sk-very-secret" and headers["x-tenant"] == "hush-hush"
    assert last(upstream)["user"] == "u7"
    row, call, there, calls = records(edge, central, answer["inference_id"])
    kept = b"".join(str(each).encode() for each in (row, call, there, *calls))
    for secret in (b"sk-very-secret", b"hush-hush", key[20:].encode()):
        assert secret not in kept
    refused = edge.infer(body | {"credentials": {}})
    assert refused.status_code == 502 and "'mine'" in refused.json()["error"]


def test_what_fails_there_is_told_and_recorded_here(edge, central):
    answer = edge.infer({"function_name": "broken", "input": HELLO, "include_raw_response": True})
    assert answer.status_code == 502
    assert "provider 'tensorzero::relay' answered 400" in answer.json()["error"]
    assert "there is no model 'unknown'" in answer.json()["error"]
    pinned = edge.infer({"function_name": "broken", "variant_name": "only", "input": HELLO})
    assert pinned.status_code == 502


def test_raw_is_that_of_the_providers(edge):
    body = {"model_name": "plain", "input": HELLO, "include_raw_usage": True, "include_raw_response": True}
    answer = edge.infer(body).json()
    (usage,), (response,) = answer["raw_usage"], answer["raw_response"]
    assert (usage["provider_type"], usage["data"]["prompt_tokens"]) == ("openai", 11)
    assert response["provider_type"] == "openai" and "choices" in msgspec.json.decode(response["data"])


def test_without_the_key_nothing_is_called(tmp_path, central, upstream):
    config = EDGE.format(url=central.url).partition("[functions.chat]")[0] + edge_model("plain")
    seen = len(upstream.captured)
    with gateway(tmp_path, config, env={"CENTRAL_KEY": "sk-t0-wrong"}) as running:
        answer = running.infer({"model_name": "plain", "input": HELLO})
        assert answer.status_code == 502 and "TensorZero authentication error" in answer.json()["error"]
        assert "sk-t0-wrong" not in answer.text
        no_traceback(running)
    assert len(upstream.captured) == seen
