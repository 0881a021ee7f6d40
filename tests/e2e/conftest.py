import pytest
from tests.support.gateway import gateway

from calibrant.testing.faults import Answer, Script, Tokens, ToolUse, json_answer
from calibrant.testing.upstream import run_upstream

CONFIG = """
[gateway]
unstable_disable_feedback_target_validation = false

{models}

[functions.extract]
type = "json"
output_schema = "person.json"
variants.only = {{ type = "chat_completion", model = "json", json_mode = "strict" }}

[functions.broken_json]
type = "json"
output_schema = "person.json"
variants.only = {{ type = "chat_completion", model = "plain", json_mode = "on" }}

[functions.chat]
type = "chat"
tools = ["weather"]
variants.a = {{ type = "chat_completion", model = "plain" }}
variants.b = {{ type = "chat_completion", model = "plain" }}
[functions.chat.experimentation]
type = "static"
candidate_variants = {{ a = 1.0, b = 3.0 }}

[tools.weather]
description = "The weather."
parameters = "weather.json"

[metrics.good]
type = "boolean"
optimize = "max"
level = "inference"

[metrics.stars]
type = "float"
optimize = "max"
level = "episode"
"""

PERSON = '{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"]}'
WEATHER = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'

SCRIPTS = {
    "plain": Script(answer=Answer(tokens=Tokens(prompt=11, completion=7, cached=4, reasoning=2))),
    "json": Script(answer=json_answer({"name": "Ada", "age": 36})),
    "tools": Script(
        answer=Answer(
            tool_calls=(
                ToolUse(name="weather", arguments='{"city":"Paris"}'),
                ToolUse(name="weather", arguments='{"city":"Oslo"}'),
            )
        )
    ),
}


def models(url: str, names) -> str:
    return "\n".join(
        f'[models.{name}]\nrouting = ["p"]\n'
        f'[models.{name}.providers.p]\ntype = "openai"\nmodel_name = "{name}"\napi_base = "{url}"\n'
        'api_key_location = "none"'
        for name in names
    )


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models=SCRIPTS) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "person.json").write_text(PERSON)
    (folder / "weather.json").write_text(WEATHER)
    with gateway(folder, CONFIG.format(models=models(upstream.url, SCRIPTS))) as started:
        yield started
