"""What a home of the record can do: the protocols, and the values that pass through them.

`Reader` answers questions and may be used from any thread. `Events` also writes: facts are appended in batches,
idempotent by id, in one transaction with the ledger that says how far each spool segment has been read.
Every method raises `StoreUnavailable` when the database cannot be asked or written now; nothing is changed then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, Protocol

from msgspec import Struct

from calibrant.store.arrivals import ArrivalReading
from calibrant.store.erasing import ErasingEvents
from calibrant.store.frame import Frame
from calibrant.types.example import Demonstration
from calibrant.types.insight import EpisodeBounds, EpisodeSeen
from calibrant.types.query import Aggregate, Moments, Query, Scored, Tally
from calibrant.types.rows import (
    FeedbackKind,
    FeedbackRow,
    InferenceRow,
    Level,
    ModelInferenceRow,
    Record,
    RowStatus,
    SnapshotRecord,
)

__all__ = [
    "OTHERS_LAG_MS",
    "Appended",
    "Batch",
    "Cursor",
    "Entry",
    "EntryState",
    "Events",
    "Health",
    "IncarnationBooks",
    "MetricSeen",
    "Outcome",
    "Pace",
    "Quarantined",
    "Reader",
    "Score",
    "SegmentBooks",
    "Suspect",
    "TargetView",
]

EntryState = Literal["waiting", "refused", "dropped"]
"""In quarantine: the recorder tries a `waiting` entry again; a `refused` one needs a person; `dropped` is given up."""


class Cursor(Struct, frozen=True):
    """How far a segment is stored."""

    offset: int
    """Of the first byte that is not."""
    last_sequence: int
    """Highest number of the incarnation, in this segment or another, that is in the books."""


class Entry(Struct, frozen=True):
    """One frame of a batch: a record to be stored."""

    record: Record
    frame: Frame
    """Where it stood; its bytes are kept when the store refuses the record."""


class Suspect(Struct, frozen=True):
    """Part of a segment that goes to quarantine without being tried, or feedback that waits for its target."""

    sequence: int
    """First number in it."""
    frames: int
    """How many numbers it stands for."""
    state: EntryState
    reason: str
    frame: bytes
    start: int


class Batch(Struct, frozen=True):
    """Part of one segment, to be stored in one transaction with the ledger."""

    incarnation: str
    segment: str
    start: int
    end: int
    last_sequence: int
    entries: tuple[Entry, ...]
    suspects: tuple[Suspect, ...] = ()
    at_ms: int = 0
    """Wall clock, for the quarantine."""


class Pace(Struct, frozen=True):
    """In what pieces a home of the record likes to be written."""

    frames: int = 512
    """At most, in a batch."""
    bytes: int = 2 * 2**20
    rest_s: float = 0.0
    """At least, between two looks at the spool: what comes meanwhile comes together."""


class Appended(Struct, frozen=True):
    """What became of a batch."""

    cursor: Cursor
    """Where to go on. It is not the batch's end when the ledger was elsewhere: then nothing was stored."""
    stored: int
    refused: tuple[str, ...] = ()
    """Why each of the rows in quarantine was refused for good."""


class Quarantined(Struct, frozen=True):
    """An entry of the quarantine."""

    id: int
    incarnation: str
    segment: str
    start: int
    sequence: int
    frames: int
    state: EntryState
    reason: str
    at_ms: int
    frame: bytes


class SegmentBooks(Struct, frozen=True):
    """The ledger of one segment."""

    segment: str
    incarnation: str
    offset: int
    last_sequence: int
    stored: int
    """Frames whose rows are in the store."""
    shed: int
    """Numbers that its `Shed` frames gave up."""


class IncarnationBooks(Struct, frozen=True):
    """The ledger of one incarnation."""

    incarnation: str
    segments: tuple[SegmentBooks, ...]
    quarantined: int
    """Numbers in quarantine, whatever their state."""
    retired: bool = False
    """It is dead, and everything that it left is in these books."""
    written: int = 0
    """Its last published figures, kept when it was retired."""
    pending: int = 0
    rejected: int = 0


class TargetView(Struct, frozen=True):
    """What feedback needs to know of its target: the inference, or the first one of the episode."""

    inference_id: str
    episode_id: str
    function_name: str
    function_type: str
    variant_name: str
    status: RowStatus
    output_schema: bytes | None
    """JSON; null where there is none or the payload is no longer kept."""
    tool_params: bytes | None


class Outcome(Struct, frozen=True, array_like=True):
    """One inference as statistics see it."""

    inference_id: str
    episode_id: str
    variant_name: str
    status: RowStatus
    processing_ms: float | None
    ttft_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost: str | None
    snapshot_hash: str = ""
    namespace: str | None = None
    unit: str | None = None
    """What its variant was drawn for; null where nobody knows, as of imported ones."""
    assigned_variant: str | None = None
    """The variant that was drawn, or asked for; it may have been another that served."""
    probability: float | None = None
    """The chance that the draw had of choosing it; null where there was no draw, or nobody knows."""


class Score(Struct, frozen=True, array_like=True):
    """The latest value of one metric for one target."""

    target_id: str
    number: float


class MetricSeen(Struct, frozen=True, array_like=True):
    """A metric for which a function has feedback."""

    metric_name: str
    kind: FeedbackKind
    level: Level
    targets: int


class Health(Struct, frozen=True):
    """The state of the database."""

    ok: bool
    detail: str
    """What is wrong, and what to do; empty when nothing is."""
    bytes: int = 0
    schema_version: str = ""


OTHERS_LAG_MS: Final = 600_000
"""How long a record may be in the spool of another host before what refers to it is refused."""


class Reader(ArrivalReading, Protocol):
    """Questions."""

    shared: bool
    """Whether other hosts may write to the same store."""

    def get(self, ids: Sequence[str]) -> tuple[InferenceRow, ...]:
        """Return the inferences of these ids, whatever their status, in the order asked; unknown ids are left out."""
        ...

    def find(self, query: Query) -> tuple[InferenceRow, ...]:
        """Return a page of inferences: in the order asked; without one the newest first, or with `after` the oldest."""
        ...

    def aggregate(self, asked: Aggregate) -> tuple[Tally, ...]:
        """Return what inferences, or calls of models, add up to in each group, by key."""
        ...

    def moments(self, asked: Scored) -> tuple[Moments, ...]:
        """Return what the latest feedback on a metric comes to, for each group that has any."""
        ...

    def episodes(self, where: Query) -> tuple[EpisodeSeen, ...]:
        """Return a page of episodes, the one that began last first.

        Args:
            where: Which inferences count. `limit` is of episodes, and so are `before` and `after`: those that began
                before this one, or the ones next after it.
        """
        ...

    def episode_bounds(self, where: Query) -> EpisodeBounds:
        """Return the first and the last episode with such inferences, and how many there are."""
        ...

    def feedback_by_id(self, feedback_id: str) -> FeedbackRow | None:
        """Return one piece of feedback."""
        ...

    def inference_of(self, model_inference_id: str) -> str | None:
        """Return the inference that a model call was made for."""
        ...

    def demonstrated(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Return the latest demonstration of each of these inferences that has one, as JSON."""
        ...

    def search_behind(self) -> int:
        """Return how many inferences, at most, a search for text may overlook, since the index is not so far yet."""
        ...

    def model_inferences(self, inference_id: str) -> tuple[ModelInferenceRow, ...]:
        """Return the model calls of an inference, failed ones included, by attempt."""
        ...

    def target(self, target_id: str, level: Level) -> TargetView | None:
        """Return what feedback needs to know of its target; None when the store does not have it."""
        ...

    def feedback_for(self, target_id: str) -> tuple[FeedbackRow, ...]:
        """Return all feedback on an inference or an episode, oldest first."""
        ...

    def demonstrations(self, function_name: str, *, after: int, limit: int) -> tuple[Demonstration, ...]:
        """Return demonstrations of a function whose inputs are kept, in order of arrival, from after `seq` on.

        An inference that was demonstrated again has more than one; one that a replay made has none here.
        """
        ...

    def snapshot(self, snapshot_hash: str) -> SnapshotRecord | None:
        """Return a configuration that was once loaded."""
        ...

    def outcomes(self, function_name: str) -> Iterator[Outcome]:
        """Stream every finished inference of a function, failed ones included, in order of arrival; no replays."""
        ...

    def metrics(self, function_name: str) -> tuple[MetricSeen, ...]:
        """Return the metrics for which a function has feedback, comments and demonstrations included."""
        ...

    def scores(self, function_name: str, metric_name: str, level: Level) -> Iterator[Score]:
        """Stream the latest value of a metric for each target of a function."""
        ...

    def books(self) -> tuple[IncarnationBooks, ...]:
        """Return the whole ledger, as of one moment."""
        ...

    def quarantined(
        self, *, state: EntryState | None = None, after: int = 0, limit: int = 100
    ) -> tuple[Quarantined, ...]:
        """Return a page of the quarantine, by id."""
        ...

    def health(self) -> Health:
        """Say how the database is; never raises."""
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...


class Events(Reader, ErasingEvents, Protocol):
    """Facts, appended. One thread at a time."""

    pace: Pace

    def append(self, batch: Batch) -> Appended:
        """Store a batch and its ledger, or nothing. Rows that can never be stored go to the quarantine."""
        ...

    def cursor(self, incarnation: str, segment: str) -> Cursor:
        """Say how far a segment is stored."""
        ...

    def settle(self) -> None:
        """Wait until everything committed so far would survive a power cut."""
        ...

    def retire(self, incarnation: str, *, written: int, pending: int, rejected: int) -> int:
        """Note that an incarnation is dead and drained; its `running` rows become `interrupted`.

        Returns:
            How many rows.
        """
        ...

    def resolve(self, entry_id: int, record: Record) -> str | None:
        """Store the record of a quarantined entry and take the entry out of quarantine.

        Returns:
            Why the store refuses it, in which case the entry stays, as `refused`; otherwise None.
        """
        ...

    def mark(self, entry_id: int, state: EntryState, reason: str | None = None) -> bool:
        """Change the state of a quarantined entry; a dropped one loses its bytes. False when there is no such entry."""
        ...

    def index_text(self, *, limit: int) -> int:
        """Make the text of the next inferences known to searches, in order of arrival.

        Args:
            limit: Look at so many, at most.

        Returns:
            How many are left; 0 where the engine needs no such step.
        """
        ...

    def used_bytes(self) -> int:
        """Return the bytes that the record takes up, without room that is free for reuse."""
        ...

    def drop_payloads(self, *, limit: int, before_ms: int | None = None) -> int:
        """Delete the payloads of the oldest inferences and model calls, in order of arrival.

        Args:
            limit: Look at so many of each, at most.
            before_ms: Only of those begun before this time.

        Returns:
            How many rows lost their payload, or about how many where whole partitions go.
        """
        ...

    def drop_inferences(self, *, limit: int, before_ms: int) -> int:
        """Delete the oldest inferences and model calls, with their payloads; feedback on them stays.

        Args:
            limit: So many of each, at most, where rows go one by one.
            before_ms: Only those begun before this time.

        Returns:
            How many rows went, or about how many where whole partitions go.
        """
        ...

    def drop_feedback(self, *, limit: int, before_ms: int) -> int:
        """Delete the oldest feedback, as `drop_inferences` does inferences."""
        ...

    def shrink(self, *, max_pages: int) -> int:
        """Do a piece of what gives room back to the file system.

        Returns:
            How many pages, or 1 where there is more to do first; 0 when all is done.
        """
        ...
