"""The engine: one frozen bundle of everything an inference needs, built once per configuration."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct

from calibrant.base.clock import Clock
from calibrant.base.errors import SpoolFull
from calibrant.config.schema import Config, Dicl
from calibrant.config.secret import Secrets
from calibrant.engine.compiled import Compiler
from calibrant.engine.files import Files
from calibrant.engine.health import Health
from calibrant.engine.presence import Presence
from calibrant.engine.recent import Recent
from calibrant.store.base import TargetView
from calibrant.telemetry.metrics import Metrics
from calibrant.types.cached import Cached
from calibrant.types.call import Sender
from calibrant.types.example import Neighbour
from calibrant.types.key import Grants
from calibrant.types.rows import InferenceRow, Level, Record
from calibrant.types.workflow import Pinned

__all__ = ["Caching", "Caller", "Engine", "Examples", "Redact", "Spooling", "Targets", "Workflows"]

Redact = Callable[[bytes, str], object]
"""A redaction hook: the payload and what it is (`input`, `output`, `raw_request`, ...) to the bytes that may be kept.

It is the user's code, so what it returns is checked.
"""


class Spooling(Protocol):
    """What the engine needs of the spool."""

    incarnation: str

    def reserve(self) -> bool:
        """Make sure that there is room to record one more inference, or raise `SpoolFull`."""
        ...

    def append(self, record: Record) -> Future[None]:
        """Return a future that is done once the record is as durable as the policy promises."""
        ...

    def trouble(self) -> str | None:
        """Return why nothing can be recorded now, or null while there is room."""
        ...


class Targets(Protocol):
    """What the engine needs of the store: whether feedback has something to refer to."""

    async def find(self, target_id: str, level: Level) -> TargetView | None:
        """Return the target, or null where the store has none.

        Raises:
            StoreUnavailable: the store cannot be asked now.
        """
        ...

    async def inference(self, inference_id: str) -> InferenceRow | None:
        """Return an inference with its payloads, or null where the store does not have it.

        Raises:
            StoreUnavailable: the store cannot be asked now.
        """
        ...

    others_lag_ms: int
    """How long a record of another host may be on its way to the store; 0 where this host alone writes to it."""

    def watermark_ms(self) -> int:
        """Return the instant before which every accepted record is in the store; 0 while nobody knows."""
        ...


class Caching(Protocol):
    """What the engine needs of the response cache."""

    async def get(self, key: bytes, max_age_s: int | None) -> Cached | None:
        """Return the answer, or null where there is none that is young enough."""
        ...

    def put(self, key: bytes, model_name: str, entry: Cached) -> None:
        """Keep an answer."""
        ...

    async def purge(self, model_name: str | None = None) -> int:
        """Forget every answer, or those of one model, and return how many there were.

        Raises:
            OSError: they cannot be forgotten now.
        """
        ...


class Examples(Protocol):
    """What the engine needs of the demonstrations in the record."""

    async def nearest(
        self, function_name: str, variant: Dicl, text: str, vector: Sequence[float] | None, episode_id: str
    ) -> Sequence[Neighbour]:
        """Return the demonstrations of a function that are nearest to a text, nearest first.

        None is of the same episode, and none nearly the same as the text or as one before it.

        Args:
            function_name: Whose demonstrations.
            variant: How many, how far, and by whose vectors.
            text: What they are compared with.
            vector: The text's vector, where the variant has an embedding model.
            episode_id: Of the request.
        """
        ...


class Workflows(Protocol):
    """What the engine needs of workflow evaluations."""

    async def pinned(self, episode_id: str) -> Pinned | None:
        """Return what inferences of an episode take from its run, or null where it is of none.

        Raises:
            StoreUnavailable: the catalogue cannot be asked now.
        """
        ...


class Caller(Struct, frozen=True):
    """Where a request came from, as far as the transport knows."""

    endpoint: str = "inference"
    trace_id: str | None = None
    span_id: str | None = None
    key_id: str | None = None
    """Public id of the API key, where one was asked for."""
    grants: Grants | None = None
    """Which functions and models it may use; null is any."""
    presence: Presence | None = None
    """Whether it is still there; null where nobody asks."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that the line needs; nothing in it changes but counters and pools."""

    config: Config
    compiler: Compiler
    secrets: Secrets
    sender: Sender
    metrics: Metrics
    clock: Clock
    spool: Spooling | None
    """Null where the configuration turns the record off."""
    targets: Targets | None
    redact: Redact | None = None
    cache: Caching | None = None
    """Null where the configuration turns it off."""
    examples: Examples | None = None
    """Null where no variant wants any."""
    files: Files | None = None
    """Null passes files on as they came and records them so."""
    workflows: Workflows | None = None
    """Null where there is no catalogue."""
    recent: Recent = field(default_factory=Recent)
    health: Health = field(default_factory=Health)

    def reserve(self) -> None:
        """Make sure that there is room for one more record, before a provider is paid for it.

        Raises:
            SpoolFull: there is none, and the policy is to reject.
        """
        if self.spool is None:
            return
        try:
            self.spool.reserve()
        except SpoolFull:
            self.metrics.count("rejected")
            raise
