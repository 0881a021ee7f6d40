"""A line of an export of inferences."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from calibrant.apischema.inferences import StoredBody
from calibrant.apischema.lookups import FeedbackShown, ModelInferenceShown

__all__ = ["ExportedBody"]


class ExportedBody(StoredBody, frozen=True, kw_only=True, omit_defaults=True):
    """An inference as lists show it, with what was said of it."""

    feedback: list[FeedbackShown]
    """On it and on its episode, oldest first."""
    model_inferences: list[ModelInferenceShown] | UnsetType = UNSET
    """The calls of models that it took, where they were asked for."""
