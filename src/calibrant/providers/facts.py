"""What each provider type can do, and what it is not sent: for warnings, checks and the documentation."""

from __future__ import annotations

from msgspec import Struct

from calibrant.providers.compatible import COMPATIBLE, Vendor
from calibrant.types.request import Params

__all__ = ["Facts", "facts", "unsent"]


class Facts(Struct, frozen=True):
    """The abilities of one provider type. A model of it may have fewer."""

    tools: bool
    json_mode: bool
    """Whether the provider itself holds the output to JSON."""
    json_schema: bool
    """Whether it holds the output to a schema."""
    images: bool
    documents: bool
    audio: bool
    thoughts_returned: bool
    """Whether earlier reasoning is sent back to it."""


def facts(type: str) -> Facts | None:  # noqa: A002 - the configuration's own word
    """Return what the provider type can do, or null for a type that is not built."""
    vendor = COMPATIBLE.get(type)
    if vendor is None:
        return None
    whole = vendor.files in ("openai", "openrouter", "mistral")
    return Facts(
        tools=vendor.tools,
        json_mode=vendor.json_on,
        json_schema=vendor.json_strict in ("json_schema", "grammar"),
        images=vendor.files is not None,
        documents=whole,
        audio=whole,
        thoughts_returned=vendor.thoughts is not None,
    )


def unsent(type: str, params: Params) -> tuple[str, ...]:  # noqa: A002
    """Return the names of the parameters that are set and that this provider type is not sent."""
    vendor = COMPATIBLE.get(type)
    if vendor is None:
        return ()
    return tuple(name for name in _missing(vendor) if getattr(params, name) is not None)


def _missing(vendor: Vendor) -> list[str]:
    has = {
        "seed": vendor.seed is not None,
        "reasoning_effort": vendor.effort is not None,
        "thinking_budget_tokens": vendor.budget is not None,
        "service_tier": vendor.service_tier,
        "verbosity": vendor.verbosity,
    }
    return [name for name, known in has.items() if not known]
