"""Models whose calls another gateway makes."""

import pytest

from calibrant.config.schema import Credential, Relay
from calibrant.config.secret import PassedOn, Secret, Secrets
from calibrant.config.shorthand import shorthand_provider
from calibrant.config.snapshot import restore

MODEL = '[models.{0}]\nrouting=["p"]\n[models.{0}.providers.p]\ntype="openai"\nmodel_name="x"\n'
RELAY = '[gateway.relay]\ngateway_url = "https://central.test/llm"\napi_key_location = "env::CENTRAL_KEY"\n'


def test_a_model_is_called_by_the_other_gateway_unless_it_skips_it(loads):
    skipping = MODEL.format("own").replace("routing", 'skip_relay = true\nnamespace = "n"\nrouting')
    config = loads(RELAY + MODEL.format("m") + "timeouts.non_streaming.total_ms = 5\n" + skipping)
    assert config.gateway.relay == Relay("https://central.test/llm", Credential("env::CENTRAL_KEY"))
    (provider,) = config.models["m"].providers
    assert (provider.name, provider.type) == ("tensorzero::relay", "tensorzero::relay")
    assert (provider.model_name, provider.api_base) == ("m", "https://central.test/llm")
    assert provider.credential == Credential("env::CENTRAL_KEY")
    assert [each.type for each in config.models["own"].providers] == ["openai"]
    assert restore(config.canonical).models == config.models


def test_the_models_own_timeouts_hold(loads):
    config = loads(RELAY + MODEL.format("m").replace("routing", "timeouts.streaming.ttft_ms = 7\nrouting"))
    assert config.models["m"].timeouts.ttft_ms == 7


def test_a_shorthand_goes_by_its_whole_name(loads):
    config = loads(RELAY)
    for name in ("openai::gpt-4o", "openai::responses::gpt-5", "anthropic::claude"):
        kind, _, model = name.partition("::")
        provider = shorthand_provider(kind, model, config)
        assert provider is not None and (provider.type, provider.model_name) == ("tensorzero::relay", name)
    assert shorthand_provider("vllm", "x", config) is None and shorthand_provider("openai", "", config) is None
    plain = shorthand_provider("openai", "gpt-4o", loads(""))
    assert plain is not None and plain.type == "openai"


def test_only_the_key_of_the_other_gateway_is_needed(loads):
    config = loads(RELAY + MODEL.format("m") + MODEL.format("n"))
    _, problems = Secrets.resolve(config, {})
    assert [each.path for each in problems] == ["gateway.relay.api_key_location"]
    secrets, problems = Secrets.resolve(config, {"CENTRAL_KEY": "k"})
    assert problems == () and secrets.get(config.models["m"].providers[0].credential, {}) == Secret("k")


def test_without_a_location_no_key_is_sent(loads):
    config = loads('[gateway.relay]\ngateway_url = "http://127.0.0.1:3001"')
    assert config.gateway.relay is not None and config.gateway.relay.credential == Credential("none")


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        ("[gateway.relay]\n", "gateway.relay.gateway_url", "is missing"),
        ('[gateway.relay]\ngateway_url = "central"', "gateway.relay.gateway_url", "is no address"),
        ('[gateway.relay]\ngateway_url = "http://u:p@x"', "gateway.relay.gateway_url", "has a user or a password"),
        (RELAY.replace("env::CENTRAL_KEY", "sdk"), "gateway.relay.api_key_location", "only AWS and GCP"),
        (RELAY.replace("env::CENTRAL_KEY", "sk-t0-x"), "gateway.relay.api_key_location", "is no location"),
    ],
)
def test_mistakes(mistakes, text, path, problem):
    (said,) = mistakes(text)
    assert said.startswith(path) and problem in said


def test_nothing_that_is_passed_on_is_quoted():
    passed = PassedOn(Secret("sk-t0-1"), {"a": Secret("sk-a/b"), "b": Secret("sk-b")})
    assert passed.strike(b'"sk-a\\/b" sk-b sk-t0-1 rest') == b'"***" *** *** rest'
    assert PassedOn(None, {}).strike(b"as it is") == b"as it is"
    assert "sk-" not in repr(passed)
