from __future__ import annotations

from typing import Any

import pytest

from calibrant.providers.bedrock_model import effort, is_claude, model_fields
from calibrant.types.request import Params

BUDGET = Params(thinking_budget_tokens=2000)
ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 2000}}
ADAPTIVE = {"thinking": {"type": "adaptive"}}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", ENABLED),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", ENABLED),
        ("anthropic.claude-opus-4-1-20250805-v1:0", ENABLED),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", ENABLED),
        ("anthropic.claude-opus-4-6-v1", ENABLED),
        ("anthropic.claude-opus-4-7", ADAPTIVE),
        ("us.anthropic.claude-opus-5", ADAPTIVE),
        ("anthropic.claude-mythos-preview", ADAPTIVE),
        ("anthropic.claude-fable-5", ADAPTIVE),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0", ENABLED),
        ("anthropic.claude-v2:1", ENABLED),
        ("amazon.nova-pro-v1:0", None),
        ("us.amazon.nova-2-lite-v1:0", None),
        ("openai.gpt-oss-20b-1:0", None),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", None),
    ],
)
def test_a_budget(model: str, fields: Any) -> None:
    assert model_fields(model, BUDGET, one_call=False) == fields


@pytest.mark.parametrize(
    ("model", "wanted", "own", "fields"),
    [
        ("anthropic.claude-opus-4-5", "high", "high", None),
        ("anthropic.claude-opus-4-5", "minimal", "low", None),
        ("anthropic.claude-opus-4-5", "none", None, {"thinking": {"type": "disabled"}}),
        ("anthropic.claude-opus-4-7", "none", None, None),
        ("anthropic.claude-opus-4-7", "xhigh", "xhigh", None),
        ("deepseek.v3-v1:0", "high", "high", None),
        (
            "amazon.nova-2-lite-v1:0",
            "max",
            None,
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
        ),
        ("amazon.nova-2-lite-v1:0", "none", None, {"reasoningConfig": {"type": "disabled"}}),
        ("openai.gpt-oss-20b-1:0", "medium", None, {"reasoning_effort": "medium"}),
        ("openai.gpt-oss-20b-1:0", "none", None, None),
    ],
)
def test_an_effort(model: str, wanted: str, own: str | None, fields: Any) -> None:
    params = Params(reasoning_effort=wanted)
    assert effort(model, params) == own
    assert model_fields(model, params, one_call=False) == fields


def test_nobody_asked() -> None:
    for model in ("anthropic.claude-opus-4-5", "amazon.nova-2-lite-v1:0", "openai.gpt-oss-20b-1:0", "x"):
        assert effort(model, Params()) is None
        assert model_fields(model, Params(), one_call=False) is None


def test_whose_it_is() -> None:
    assert is_claude("eu.anthropic.claude-sonnet-4-5")
    assert not is_claude("amazon.nova-pro-v1:0")
