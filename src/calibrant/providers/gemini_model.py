"""What differs between Gemini's two APIs and its models; and ids for calls where the API gives none.

Sources: ai.google.dev/gemini-api/docs/thinking, ai.google.dev/gemini-api/docs/thought-signatures,
docs.cloud.google.com/vertex-ai/generative-ai/docs/thought-signatures.
"""

from __future__ import annotations

import re

from calibrant.config.schema import Provider

__all__ = ["budget_of", "is_made_id", "is_vertex", "made_id", "wants_signatures"]

_MADE = "gemini_"
_ID_CHARACTERS = 28
"""How much of the answer's id goes into that of a call: with the rest, fewer than the 40 that other vendors take."""
_GENERATION = re.compile(r"gemini-(\d+)")
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""What Google's own OpenAI endpoint makes of an effort for the models that know no level."""


def is_vertex(provider: Provider) -> bool:
    """Return whether the provider is GCP Vertex AI, whose API knows fewer fields."""
    return provider.type == "gcp_vertex_gemini"


def budget_of(provider: Provider, effort: str) -> int | None:
    """Return the thinking budget that stands for an effort, or null where the model takes the effort as a level."""
    if effort == "none" or _generation(provider) == 2:
        return _BUDGETS.get(effort)
    return None


def wants_signatures(provider: Provider) -> bool:
    """Return whether the model refuses a call in the conversation that has no signature: from generation 3 on."""
    generation = _generation(provider)
    return provider.model_name.endswith("-latest") if generation is None else generation >= 3


def made_id(number: int, response_id: str | None) -> str:
    """Return an id for a call without one: no other call of the conversation has it."""
    return f"{_MADE}{number}_{(response_id or '')[:_ID_CHARACTERS]}".rstrip("_")


def is_made_id(id: str) -> bool:  # noqa: A002 - the wire's own word
    """Return whether the id is one that `made_id` made: the API has never seen it."""
    return id.startswith(_MADE)


def _generation(provider: Provider) -> int | None:
    found = _GENERATION.match(provider.model_name)
    return None if found is None else int(found[1])
