"""A batch of inferences: accepted at once, made in the background, asked for later."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = [
    "Batch",
    "BatchElement",
    "BatchKind",
    "BatchOwner",
    "BatchRequest",
    "BatchStatus",
    "ElementStatus",
    "Finished",
]

BatchStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
"""`failed`: none of its elements could be made, or its provider gave it up."""
ElementStatus = Literal["pending", "running", "orphaned", "completed", "failed", "cancelled"]
"""`orphaned`: whoever ran it is gone, and nobody knows how far it came."""
BatchKind = Literal["gateway", "native"]
"""Who works on it: this gateway, call by call, or the provider's own batch interface."""


class BatchRequest(Struct, frozen=True):
    """A batch, as asked for."""

    function_name: str
    bodies: tuple[bytes, ...]
    """Each element, as a body of `POST /inference`; with its episode."""
    episode_ids: tuple[str, ...]
    variant_name: str | None = None


class BatchOwner(Struct, frozen=True):
    """Whose batches somebody may see."""

    key_id: str | None
    """The public id of the API key; null where none was asked for."""
    everyone: bool = False
    """Whether others' too."""


class Batch(Struct, frozen=True, kw_only=True):
    """What is known of a batch. Instants are Unix milliseconds."""

    id: str
    key_id: str | None
    status: BatchStatus
    kind: BatchKind
    function_name: str
    variant_name: str
    probability: float | None
    """The chance that the draw had of choosing the variant; null where the caller did."""
    model_name: str
    provider_name: str = ""
    """Of a native one."""
    provider_batch_id: str | None = None
    error: str | None = None
    total: int
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    created_at: int
    updated_at: int
    checked_at: int = 0
    """When the provider was last asked how a native one goes."""


class BatchElement(Struct, frozen=True):
    """One inference of a batch."""

    inference_id: str
    batch_id: str
    position: int
    episode_id: str
    status: ElementStatus = "pending"
    body: bytes | None = None
    """What was asked, as a body of `POST /inference`; null once it is finished."""
    answer: bytes | None = None
    """What `POST /inference` would have answered; null before, and once it is left to the record."""
    error_code: str | None = None
    error_message: str | None = None


class Finished(Struct, frozen=True):
    """What became of an element."""

    inference_id: str
    status: Literal["completed", "failed"]
    answer: bytes | None = None
    error_code: str | None = None
    error_message: str | None = None
