"""What a caller asks for, whatever dialect it was asked in."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from calibrant.types.cached import NO_CACHE, CachePolicy
from calibrant.types.extra import ExtraBody, ExtraHeader, ProviderTool
from calibrant.types.message import Input
from calibrant.types.sent import Dialect, Sent
from calibrant.types.tool import CustomTool, Tool, ToolChoice

__all__ = ["NO_PARAMS", "Dialect", "Feedback", "InferenceRequest", "JsonMode", "Params", "Recall"]

JsonMode = Literal["off", "on", "strict", "tool"]


class Params(Struct, frozen=True, omit_defaults=True):
    """Generation parameters; null means that nobody asked for anything."""

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    json_mode: JsonMode | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None
    thinking_budget_tokens: int | None = None
    verbosity: str | None = None

    def over(self, base: Params) -> Params:
        """Return these parameters, with those of `base` where these say nothing."""
        if self is NO_PARAMS or self == NO_PARAMS:
            return base
        if base is NO_PARAMS or base == NO_PARAMS:
            return self
        mine = {key: value for key, value in asdict(self).items() if value is not None}
        return Params(**{**asdict(base), **mine})


NO_PARAMS = Params()
"""The one to use where nobody asked for anything: it is known by a glance."""


class Recall(Struct, frozen=True):
    """What of the record a request goes on from."""

    previous_id: str | None = None
    """The inference whose input and answer come before the request's own input."""
    references: dict[str, str] = {}
    """Items of earlier answers that the input names: the inference by the item's id."""
    unnamed: bool = False
    """Whether a tool's result answers a call that is not in the request itself."""


class InferenceRequest(Struct, frozen=True, gc=False):
    """One inference, as asked. Decoders make it by position, so a new field goes to the end."""

    input: Input
    function_name: str | None = None
    model_name: str | None = None
    stream: bool = False
    params: Params = NO_PARAMS
    tags: dict[str, str] = {}
    tools: tuple[Tool, ...] = ()
    """Tools that came with the request, beside those of the function."""
    custom_tools: tuple[CustomTool, ...] = ()
    allowed_tools: tuple[str, ...] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output_schema: dict[str, Any] | None = None
    dialect: Dialect = "native"
    prefix: str = "tensorzero"
    """The vendor prefix that the caller used (`tensorzero` or `calibrant`); answers echo it."""
    # What the other dialects say in fields of ours (`wire/own.py`), in its order.
    episode_id: str | None = None
    variant_name: str | None = None
    namespace: str | None = None
    dryrun: bool = False
    credentials: dict[str, str] = {}
    """Values for `dynamic::` credentials. Never recorded."""
    extra_body: tuple[ExtraBody, ...] = ()
    extra_headers: tuple[ExtraHeader, ...] = ()
    """Never recorded: they may hold a credential."""
    provider_tools: tuple[ProviderTool, ...] = ()
    include_raw_usage: bool = False
    include_raw_response: bool = False
    include_original_response: bool = False
    cache: CachePolicy = NO_CACHE
    dynamic_variant: dict[str, Any] | None = None
    """A variant in the place of the function's, as a configuration file would have it. Never recorded."""
    # From here on the dialects differ.
    include_usage: bool = True
    """Whether a stream ends with a usage chunk."""
    recall: Recall | None = None
    sent: Sent | None = None
    """The request in its own dialect, where providers of that dialect are to get it as it is."""
    internal: bool = False
    include_aggregated_response: bool = False
    """Whether a stream's last chunk has the whole answer."""


class Feedback(Struct, frozen=True):
    """A judgement of an inference or an episode, as given."""

    metric_name: str
    value: Any
    inference_id: str | None = None
    episode_id: str | None = None
    tags: dict[str, str] = {}
    dryrun: bool = False
    internal: bool = False
