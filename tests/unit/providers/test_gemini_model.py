from __future__ import annotations

import pytest
from tests.contract.providers.cases import provider

from calibrant.providers.gemini_model import budget_of, is_made_id, made_id, wants_signatures


@pytest.mark.parametrize(
    ("model", "wants"),
    [
        ("gemini-2.5-pro", False),
        ("gemini-3.8-flash", True),
        ("gemini-10-pro", True),
        ("gemini-flash-latest", True),
        ("gemma-4", False),
        ("", False),
    ],
)
def test_which_models_refuse_unsigned_calls(model: str, wants: bool) -> None:
    assert wants_signatures(provider("google_ai_studio_gemini", model_name=model)) is wants


@pytest.mark.parametrize(
    ("model", "effort", "budget"),
    [
        ("gemini-3.8-flash", "low", None),
        ("gemini-3.8-flash", "none", 0),
        ("gemini-2.5-pro", "low", 1024),
        ("gemini-2.5-pro", "medium", 8192),
        ("gemini-2.5-pro", "xhigh", None),
        ("", "high", None),
    ],
)
def test_an_effort_is_a_budget_where_the_model_knows_no_levels(model: str, effort: str, budget: int | None) -> None:
    assert budget_of(provider("gcp_vertex_gemini", model_name=model), effort) == budget


@pytest.mark.parametrize("response_id", [None, "", "vKzEaIeiKo6Bz7IP9Z-4wQQ", "x" * 100])
def test_ids_of_calls_are_short_enough_for_every_vendor_and_known_again(response_id: str | None) -> None:
    made = [made_id(number, response_id) for number in range(100)]
    assert len(set(made)) == 100
    assert all(is_made_id(each) and len(each) <= 40 for each in made)
    assert not is_made_id("fc-1")
