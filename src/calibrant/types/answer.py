"""What the engine hands to the edge: who answered, and the whole answer. Streams send `Chunk`s after a `Head`."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from calibrant.types.content import OutputBlock
from calibrant.types.reply import FinishReason, Usage
from calibrant.types.request import InferenceRequest
from calibrant.types.rows import ModelInferenceRow

__all__ = ["Answered", "Head"]


class Head(Struct, frozen=True, gc=False):
    """Who answers; known before the first byte of the answer."""

    inference_id: str
    episode_id: str
    function_name: str
    """`tensorzero::default` where the caller named a model."""
    variant_name: str
    function_type: Literal["chat", "json"]
    request: InferenceRequest
    created: int
    """Unix time in seconds."""
    verbatim: bool = False
    """Whether the provider speaks the caller's dialect, and nothing forbids that its words pass as they are."""


class Answered(Struct, frozen=True, gc=False):
    """A whole answer."""

    head: Head
    content: tuple[OutputBlock, ...]
    """Of a chat function."""
    raw: str | None
    """Of a JSON function: the text as the model wrote it."""
    parsed: Any
    """Of a JSON function: its value, or null where it is no JSON or breaks the output schema."""
    usage: Usage
    finish_reason: FinishReason | None
    cost: str | None = None
    """US dollars, as decimal text; null while unknown."""
    calls: tuple[ModelInferenceRow, ...] = ()
    """The calls of providers that were made, where the caller asked for what is raw of them."""
    body: bytes = b""
    """What the provider sent, where it is to pass as it is."""
