"""`[embedding_models.E]`: read as models are, with one timeout and only types that can embed."""

import pytest

from calibrant.config.schema import Timeouts
from calibrant.config.secret import Secrets
from calibrant.config.setting import settle, wants_region, with_region
from calibrant.config.vendors import VENDORS
from calibrant.providers.facts import facts

E = '[embedding_models.e]\nrouting=["p"]\n'
P = '[embedding_models.e.providers.p]\ntype="openai"\nmodel_name="x"\n'
HERE = "embedding_models.e"


def test_what_it_means(loads):
    found = loads(
        '[embedding_models.e]\nrouting=["q","p"]\nnamespace="n"\ntimeouts.non_streaming.total_ms=50\n'
        f'{P}timeout_ms=20\ncost=[{{pointer="/usage/total_tokens",cost_per_million=1}}]\n'
        '[embedding_models.e.providers.q]\ntype="azure"\ndeployment_id="d"\nendpoint="https://x"'
    ).embedding_models["e"]
    assert (found.name, found.namespace, found.timeouts) == ("e", "n", Timeouts(50))
    q, p = found.providers
    assert (p.model_name, p.timeouts, len(p.cost)) == ("x", Timeouts(20), 1)
    assert (q.type, q.model_name, q.options) == ("azure", "d", {"endpoint": "https://x"})
    assert p.credential.default == "env::OPENAI_API_KEY"


def test_nothing_of_it_is_warned_of(loads):
    assert loads(E + P).warnings == ()


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        ('[embedding_models.e]\nrouting=["q"]\n' + P, "routing[0]", "names the provider 'q', which the model lacks"),
        ('[embedding_models.e]\nrouting=["p","p"]\n' + P, "routing[1]", "a second time"),
        (E + P + 'api_base="x"', "providers.p.api_base", "is no address"),
        (E + P + "timeout_ms=900001", "providers.p.timeout_ms", "no call may take longer than 900000 ms"),
        (E + "timeout_ms=900001\n" + P, "timeout_ms", "no call may take longer than 900000 ms"),
        (E + "timeout_ms=1\ntimeouts.non_streaming.total_ms=1\n" + P, "timeout_ms", "keep one of the two"),
        (E + P + "timeout_ms=1\ntimeouts.non_streaming.total_ms=1", "providers.p.timeout_ms", "keep one of the two"),
        (E + P + 'cost=[{pointer="/a"}]', "providers.p.cost[0]", "has no price"),
        (E + P + 'extra_body=[{pointer="a",value=1}]', "providers.p.extra_body[0].pointer", "is no JSON Pointer"),
        (E + P + 'api_key_location="sdk"', "providers.p.api_key_location", "only AWS and GCP have"),
        (E + P.replace("openai", "groq"), "providers.p.type", "is 'groq', which has no embeddings; write one of aws_b"),
        (E + P.replace("openai", "tgi") + 'api_base="http://x"', "providers.p.type", "which has no embeddings"),
    ],
)
def test_each_mistake_is_told(mistakes, text, path, problem):
    lines = [line for line in mistakes(text) if line.startswith(f"{HERE}.{path}: ")]
    assert len(lines) == 1 and problem in lines[0]


def test_the_types_that_embed_are_those_with_a_codec_for_it():
    assert {name for name, vendor in VENDORS.items() if vendor.embeddings} == {
        name for name in VENDORS if (known := facts(name)) is not None and known.embeddings
    }


def test_its_credentials_are_asked_for_when_the_gateway_starts(loads):
    (problem,) = Secrets.resolve(loads(E + P), {})[1]
    assert problem.path == f"{HERE}.providers.p" and "OPENAI_API_KEY" in problem.problem
    assert Secrets.resolve(loads(E + P), {"OPENAI_API_KEY": "k"})[1] == ()


def test_its_settings_come_from_the_environment(loads):
    bedrock = '[embedding_models.e.providers.p]\ntype="aws_bedrock"\nmodel_id="cohere.embed-v4:0"\nregion='
    config = loads(E + bedrock + '"env::R"')
    assert settle(config, {"R": "eu-west-1"})[0].embedding_models["e"].providers[0].options["region"] == "eu-west-1"
    (problem,) = settle(config, {})[1]
    assert problem.path == f"{HERE}.providers.p.region"
    asked = loads(E + bedrock + '"sdk"')
    assert wants_region(asked) == (f"{HERE}.providers.p.region",)
    assert with_region(asked, "eu-west-1").embedding_models["e"].providers[0].options["region"] == "eu-west-1"
