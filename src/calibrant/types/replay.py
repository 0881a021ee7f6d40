"""Replay: what was recorded, or stands in a dataset, asked again; and what came of it."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from calibrant.types.cached import NO_CACHE, CachePolicy
from calibrant.types.datapoint import Content
from calibrant.types.estimate import Estimate
from calibrant.types.message import Message
from calibrant.types.tool import CustomTool, Tool

__all__ = [
    "EPISODE_TAG",
    "OF_TAG",
    "RUN_TAG",
    "Case",
    "Difference",
    "Fault",
    "Figures",
    "Rendered",
    "Replay",
    "Sample",
    "SampleKind",
    "Summary",
]

RUN_TAG: Final = "tensorzero::replay_run_id"
"""What an inference of a replay has of its run."""
OF_TAG: Final = "tensorzero::replay_of"
"""The id of the inference or the datapoint that was asked again."""
EPISODE_TAG: Final = "tensorzero::replay_of_episode_id"
"""The episode of that one: an inference of a replay has an episode of its own, but its words are those of this one."""

SampleKind = Literal["inference", "datapoint"]


class Replay(Struct, frozen=True, kw_only=True):
    """How a run asks."""

    variant_name: str | None = None
    """Of each sample's function; of an inference without one, the name of a model."""
    variant: dict[str, Any] | None = None
    """A variant that no configuration has, as a file would have it. One of the two is there."""
    templates: dict[str, str] = {}
    """Texts in the place of templates of the variant that is named."""
    dryrun: bool = False
    concurrency: int = 4
    cache: CachePolicy = NO_CACHE
    credentials: dict[str, str] = {}

    @property
    def recorded(self) -> bool:
        """Whether the inferences are: a prompt that no configuration has leaves no row that names it."""
        return not self.dryrun and self.variant is None and not self.templates


class Figures(Struct, frozen=True):
    """What an answer cost."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: str | None = None
    """US dollars, as decimal text."""
    processing_ms: float | None = None


class Fault(Struct, frozen=True):
    """Why there is no answer."""

    code: str
    message: str


class Sample(Struct, frozen=True, kw_only=True):
    """Something to ask again."""

    kind: SampleKind
    id: str
    content: Content | None
    """Its output is the one to compare with. Null where it cannot be read."""
    fault: Fault | None = None
    """Why it cannot be read."""
    episode_id: str | None = None
    group_key: str = ""
    """What belongs together: an episode, or what the dataset says."""
    tags: dict[str, str] = {}
    figures: Figures = Figures()
    """Of the answer that was recorded."""


class Case(Struct, frozen=True, kw_only=True):
    """What came of one sample."""

    number: int
    """Its place among the samples, from 0. Cases come as they are over."""
    sample: Sample
    inference_id: str | None = None
    variant_name: str | None = None
    output: Any = None
    """Blocks of a chat function; `raw` and `parsed` of a JSON function."""
    same_output: bool | None = None
    """Whether both say the same; null where one of them is not there."""
    figures: Figures = Figures()
    cached: bool = False
    fault: Fault | None = None


class Difference(Struct, frozen=True):
    """One figure over the cases of which both answers have it."""

    stored: Estimate
    replayed: Estimate
    difference: Estimate
    """Replayed less stored, by case."""


class Summary(Struct, frozen=True, kw_only=True):
    """What a run came to."""

    cases: int
    failed: int
    cached: int
    failure: Estimate
    """The share of cases without an answer."""
    same_output: Estimate
    """The share that says the same, of the cases with two outputs."""
    input_tokens: Difference
    output_tokens: Difference
    cost: Difference
    processing_ms: Difference
    total_cost: str | None
    """US dollars, as decimal text, of the answers with a known cost; null where none has one."""


class Rendered(Struct, frozen=True, kw_only=True):
    """What a model would be told of a sample, or why nobody can tell."""

    sample: Sample
    variant_name: str = ""
    system: str | None = None
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool | CustomTool, ...] = ()
    fault: Fault | None = None
