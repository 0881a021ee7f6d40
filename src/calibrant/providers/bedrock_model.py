"""What a model id of Bedrock says about the model: whose it is, and how it wants to be told to think.

An id may be the model's own, that of an inference profile (`us.anthropic.claude-...`) or an ARN with either in it. An
application inference profile says nothing, and its model is then taken for one without peculiarities.

Source: docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html and
claude-messages-extended-thinking.html, model-parameters-openai.html,
docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html; github.com/BerriAI/litellm/pull/34347 and
issues/36536 (one call at a time)
"""

from __future__ import annotations

from typing import Any

from calibrant.providers.anthropic_model import takes_budget
from calibrant.types.request import Params

__all__ = ["effort", "is_claude", "model_fields"]

_EFFORTS = {"none": None, "minimal": "low"}
"""Words of other vendors that Bedrock does not know; the others are sent as they are."""
_NOVA_EFFORTS = {"minimal": "low", "xhigh": "high", "max": "high"}
_ONE_CALL = {"type": "auto", "disable_parallel_tool_use": True}
"""Converse has no field of its own for it. A second `tool_choice` beside a forced one is refused."""
_ADAPTIVE_NAMES = ("claude-mythos", "claude-fable")


def is_claude(model: str) -> bool:
    """Return whether the model is Anthropic's."""
    return "claude" in model


def effort(model: str, params: Params) -> str | None:
    """Return the effort for Converse's own field, or null where nobody asked or the model has its own place for it."""
    if params.reasoning_effort is None or _is_nova(model) or _is_openai(model):
        return None
    return _EFFORTS.get(params.reasoning_effort, params.reasoning_effort)


def model_fields(model: str, params: Params, *, one_call: bool) -> dict[str, Any] | None:
    """Return what this model is told beside Converse's own fields, or null.

    Args:
        model: The model's id.
        params: What is asked for.
        one_call: Whether the model may call tools, but no two at once. Only Claude can be told.
    """
    wanted = params.reasoning_effort
    if is_claude(model):
        fields: dict[str, Any] = {}
        if (thinking := _thinking(model, params)) is not None:
            fields["thinking"] = thinking
        if one_call:
            fields["tool_choice"] = _ONE_CALL
        return fields or None
    if _is_nova(model) and wanted is not None:
        if wanted == "none":
            return {"reasoningConfig": {"type": "disabled"}}
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": _NOVA_EFFORTS.get(wanted, wanted)}}
    if _is_openai(model) and wanted is not None and (named := _EFFORTS.get(wanted, wanted)) is not None:
        return {"reasoning_effort": named}
    return None


def _thinking(model: str, params: Params) -> dict[str, Any] | None:
    budget = 0 if params.reasoning_effort == "none" else params.thinking_budget_tokens
    if budget is None:
        return None
    if _is_adaptive(model):
        # These models refuse a budget, and to be told not to think.
        return {"type": "adaptive"} if budget else None
    return {"type": "enabled", "budget_tokens": budget} if budget else {"type": "disabled"}


def _is_adaptive(model: str) -> bool:
    return any(name in model for name in _ADAPTIVE_NAMES) or not takes_budget(model)


def _is_nova(model: str) -> bool:
    return "nova-2" in model


def _is_openai(model: str) -> bool:
    return "openai." in model
