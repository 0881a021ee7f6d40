from __future__ import annotations

import msgspec
import pytest
from tests.contract.providers.calls import EVERY_PARAM, HELLO, make

from calibrant.providers.compatible import COMPATIBLE
from calibrant.providers.facts import facts, unsent
from calibrant.types.call import ModelCall
from calibrant.types.request import Params


def test_what_there_is_not_has_no_facts() -> None:
    assert facts("nobody") is None
    assert unsent("nobody", EVERY_PARAM) == ()


def test_what_the_vendors_can_do() -> None:
    can = {kind: facts(kind) for kind in COMPATIBLE}
    assert {kind for kind, fact in can.items() if fact and not fact.tools} == {"hyperbolic", "tgi"}
    assert {kind for kind, fact in can.items() if fact and not fact.json_schema} == {"hyperbolic", "deepseek"}
    assert {kind for kind, fact in can.items() if fact and not fact.images} == {"hyperbolic", "deepseek"}
    assert {k for k, f in can.items() if f and f.documents} == {"openai", "azure", "openrouter", "mistral", "vllm"}


@pytest.mark.parametrize("kind", sorted(COMPATIBLE))
@pytest.mark.parametrize(
    "name", ["seed", "reasoning_effort", "thinking_budget_tokens", "service_tier", "verbosity", "temperature"]
)
def test_a_parameter_is_sent_or_reported(kind: str, name: str) -> None:
    params = Params(**{name: getattr(EVERY_PARAM, name)})
    body = msgspec.json.decode(make(kind).encode(ModelCall(system=None, messages=HELLO, params=params)).body)
    assert unsent(kind, params) == (() if len(body) > 2 else (name,))
    assert unsent(kind, Params()) == ()


def test_the_responses_api_takes_other_parameters() -> None:
    assert unsent("openai", EVERY_PARAM) == ("thinking_budget_tokens",)
    assert unsent("openai", Params(seed=1, stop_sequences=("END",)), "responses") == ("seed", "stop_sequences")
