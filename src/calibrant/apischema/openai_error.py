"""Errors, in every shape that the vendors of OpenAI's dialect give them.

Source: platform.openai.com/docs/guides/error-codes, and each vendor's own page of errors.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = ["ErrorBody", "ErrorDetail"]


class ErrorDetail(Struct, frozen=True):
    """What went wrong."""

    message: Any = None
    type: Any = None
    code: Any = None


class ErrorBody(Struct, frozen=True):
    """An error, in any of the shapes that vendors use for it."""

    error: ErrorDetail | str | None = None
    message: Any = None
    detail: Any = None
    object: Any = None
    type: Any = None
    code: Any = None
