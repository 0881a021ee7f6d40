"""Datasets: inputs with the outputs that are wanted, kept for evaluation and training.

A datapoint's content never changes. An edit makes another datapoint and leaves the old one stale; a new name makes
another row of the same datapoint. Rows are never overwritten: each says from which version of its dataset on it is
there, and up to which, so that every version can be read back exactly.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from calibrant.types.content import OutputBlock
from calibrant.types.extra import ProviderTool
from calibrant.types.message import Input
from calibrant.types.query import Filter
from calibrant.types.split import Split, Splitting
from calibrant.types.tool import CustomTool, Tool, ToolChoice

__all__ = [
    "BY_DATAPOINT",
    "BY_EPISODE",
    "BY_TAG",
    "NO_TOOLS",
    "Action",
    "Change",
    "Content",
    "Datapoint",
    "DatapointEdit",
    "DatapointQuery",
    "Dataset",
    "JsonValue",
    "NewDatapoint",
    "Origin",
    "Source",
    "ToolParams",
]

Source = Literal["inference", "feedback", "person", "import", "erased"]
"""Whose words a datapoint has: a recorded inference's, a demonstration's, those that somebody wrote, or a file's.

Of one that was erased, a tombstone in past versions, nothing is left but its function and its hash.
"""
Action = Literal[
    "create", "add", "from_inferences", "import", "clone", "edit", "rename", "delete", "clear", "erase", "seal"
]

BY_EPISODE: Final = "episode"
"""Datapoints of one episode belong together; one without an episode stands alone. The default."""
BY_DATAPOINT: Final = "datapoint"
"""Each stands alone, its edits and clones with it."""
BY_TAG: Final = "tag::"
"""Those with one value of the tag that is named behind it belong together; one without the tag goes by its episode."""


class ToolParams(Struct, frozen=True, omit_defaults=True):
    """What a datapoint says of tools, beside what its function has."""

    allowed_tools: tuple[str, ...] | None = None
    tools: tuple[Tool, ...] = ()
    custom_tools: tuple[CustomTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    provider_tools: tuple[ProviderTool, ...] = ()


NO_TOOLS: Final = ToolParams()


class JsonValue(Struct, frozen=True):
    """The output of a JSON function: its text, and its value where that is valid."""

    raw: str | None
    parsed: Raw = Raw(b"null")


class Content(Struct, frozen=True, omit_defaults=True):
    """What a datapoint is about: all of this, and nothing else, is in its content hash."""

    type: Literal["chat", "json"]
    function_name: str
    input: Input
    output: tuple[OutputBlock, ...] | JsonValue | None = None
    """The output that is wanted; null where nobody knows it."""
    tools: ToolParams = NO_TOOLS
    output_schema: dict[str, Any] | None = None


class Origin(Struct, frozen=True):
    """Where a datapoint came from."""

    source: Source
    inference_id: str | None = None
    feedback_id: str | None = None
    """The demonstration that its output is."""
    parent_id: str | None = None
    """The datapoint that it was made of: an edit's, in the same dataset; a clone's, in another."""
    root_id: str | None = None
    """The first of the chain; null where this one is."""


class Datapoint(Struct, frozen=True, kw_only=True):
    """One row. Instants are Unix milliseconds; the id has the instant of making."""

    id: str
    dataset_name: str
    since: int
    """The version of the dataset in which this row came."""
    until: int | None = None
    """The first version without it."""
    name: str | None = None
    episode_id: str | None = None
    tags: dict[str, str] = {}
    group_key: str
    """What belongs together, and must not be torn apart by a split."""
    content_hash: str
    content: Content
    origin: Origin
    actor: str = ""
    """The public id of the key that made this row, or `cli`; empty where no key is asked for."""
    updated_at: int
    staled_at: int | None = None
    split: Split | None = None
    """Null where its dataset is not split. Of what is `sealed` the content, its hash, name and tags are not here."""


class Dataset(Struct, frozen=True, kw_only=True):
    """What is known of a dataset."""

    name: str
    version: int
    """Grows with each change; 0 was empty."""
    group_by: str = BY_EPISODE
    created_at: int
    updated_at: int
    datapoints: int = 0
    """How many there are now."""
    splitting: Splitting | None = None
    """Null where it was not sealed: then everybody reads all of it."""


class Change(Struct, frozen=True, kw_only=True):
    """What made a version of a dataset."""

    version: int
    at: int
    actor: str
    action: Action
    added: int
    """Rows that came with it; a new name counts as a row that goes and one that comes."""
    removed: int


class NewDatapoint(Struct, frozen=True):
    """A datapoint as somebody wants it."""

    content: Content
    name: str | None = None
    episode_id: str | None = None
    tags: dict[str, str] = {}
    origin: Origin = Origin("person")


class DatapointEdit(Struct, frozen=True, kw_only=True):
    """What to change of a datapoint; what is unset stays."""

    id: str
    type: Literal["chat", "json"]
    input: Input | UnsetType = UNSET
    output: tuple[OutputBlock, ...] | JsonValue | UnsetType | None = UNSET
    tools: dict[str, Any] = {}
    """Fields of `ToolParams`."""
    output_schema: dict[str, Any] | UnsetType = UNSET
    tags: dict[str, str] | UnsetType = UNSET
    name: str | UnsetType | None = UNSET


class DatapointQuery(Struct, frozen=True, kw_only=True):
    """Which datapoints of a dataset, and which page of them."""

    dataset_name: str
    function_name: str | None = None
    version: int | None = None
    """As they were in this version; null is now."""
    filters: Filter | None = None
    """Of tags and times; a time is that of the last change."""
    text: str | None = None
    """Occurs in the input or the output, upper or lower case."""
    after: str | None = None
    """Ids greater than this one."""
    descending: bool = True
    """The order is that of ids: of making."""
    limit: int = 20
    offset: int = 0
    functions: tuple[str, ...] | None = None
    """Those that the caller may see; null is all. A name may end in `*`."""
    splits: tuple[Split, ...] | None = None
    """Of a dataset that is split only these; null is all. A dataset that is not split has no part in it."""
