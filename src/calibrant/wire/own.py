"""What a request in another vendor's dialect says to us: whom it is for, and our own fields."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from calibrant.apischema.own import OWN, OwnFields
from calibrant.base.errors import InvalidRequest
from calibrant.types.cached import NO_CACHE, CachePolicy
from calibrant.types.extra import ExtraBody, ExtraHeader, ProviderTool
from calibrant.types.request import Params
from calibrant.wire import body as checks
from calibrant.wire.body import invalid
from calibrant.wire.options import to_extra_body, to_extra_headers, to_provider_tools

__all__ = ["Own", "Target", "to_own", "to_target"]

_own_fields: Callable[[OwnFields], tuple[object, ...]] = attrgetter(*OWN)
_UNSENT = (None,) * len(OWN)
_PREFIXES = ("tensorzero", "calibrant")


class Target(Struct, frozen=True):
    """Whom a request is for: a function or a model."""

    prefix: str
    """The vendor prefix that its name was written with."""
    function: str | None
    model: str | None


def to_target(name: str, *, bare: bool = False) -> Target:
    """Return what the field `model` names.

    Args:
        name: As sent.
        bare: Whether a name without a prefix of ours is a model's.

    Raises:
        InvalidRequest: it names neither a function nor a model.
    """
    # Split at most twice: a model's name may have colons of its own.
    prefix, kind, target = parts if len(parts := name.split("::", 2)) == 3 else ("", "", "")
    if prefix in _PREFIXES and target:
        if kind == "function_name":
            return Target(prefix, checks.stored_name(target), None)
        if kind == "model_name":
            return Target(prefix, None, target)
    if bare and name and prefix not in _PREFIXES:
        return Target("calibrant", None, name)
    raise invalid(
        f"unknown model {name!r}; send `tensorzero::function_name::<function>` for a function or "
        "`tensorzero::model_name::<model>` for a model (`calibrant::` works as well)",
        "$.model",
    )


Options = tuple[
    str | None,  # episode_id
    str | None,  # variant_name
    str | None,  # namespace
    bool,  # dryrun
    dict[str, str],  # credentials
    tuple[ExtraBody, ...],
    tuple[ExtraHeader, ...],
    tuple[ProviderTool, ...],
    bool,  # include_raw_usage
    bool,  # include_raw_response
    bool,  # include_original_response
    CachePolicy,
    dict[str, Any] | None,  # dynamic_variant
]
"""Fields of an `InferenceRequest` that follow each other there, in their order.

Requests are made by position: a Struct finds each keyword by going through all its fields, which for one of this length
takes longer than reading a short request.
"""


class Own(Struct, frozen=True):
    """What a request says in fields of ours, under either prefix."""

    options: Options
    tags: dict[str, str] = {}
    params: Params | None = None
    raw_usage: bool = False


_NOTHING = Own((None, None, None, False, {}, (), (), (), False, False, False, NO_CACHE, None))


def to_own(asked: OwnFields, strict: msgspec.json.Decoder[Any], body: bytes, target: Target, now_ms: int) -> Own:
    """Return what a request says in fields of ours.

    Args:
        asked: The request.
        strict: Reads the body again where the caller wants unknown fields refused.
        body: As it came.
        target: Whom the request is for.
        now_ms: The time, against which ids are checked.

    Raises:
        InvalidRequest: a field is malformed; the message has the JSON path.
    """
    # Most requests have none of the many fields: one comparison instead of a look at each.
    if _own_fields(asked) == _UNSENT:
        return _NOTHING
    prefix = target.prefix
    if asked.tensorzero_deny_unknown_fields or asked.calibrant_deny_unknown_fields:
        checks.parse(strict, body)
    if target.model is not None and (asked.calibrant_variant_name or asked.tensorzero_variant_name):
        raise InvalidRequest(f"`{prefix}::variant_name` goes with a function; a model has no variants")
    return _read(asked, prefix, now_ms)


def _read(asked: OwnFields, prefix: str, now_ms: int) -> Own:
    cache = asked.calibrant_cache_options or asked.tensorzero_cache_options
    namespace = asked.tensorzero_namespace if asked.calibrant_namespace is None else asked.calibrant_namespace
    if namespace == "":
        raise invalid("must not be empty; leave it out for no namespace", f"$.{prefix}::namespace")
    episode = asked.calibrant_episode_id or asked.tensorzero_episode_id
    tags = asked.calibrant_tags or asked.tensorzero_tags
    params = asked.calibrant_params or asked.tensorzero_params
    raw_usage = asked.calibrant_include_raw_usage or asked.tensorzero_include_raw_usage or False
    options: Options = (
        None if episode is None else checks.checked_episode(episode, field=f"{prefix}::episode_id", now_ms=now_ms),
        asked.calibrant_variant_name or asked.tensorzero_variant_name,
        namespace,
        asked.calibrant_dryrun or asked.tensorzero_dryrun or False,
        asked.calibrant_credentials or asked.tensorzero_credentials or {},
        to_extra_body(asked.calibrant_extra_body or asked.tensorzero_extra_body, f"$.{prefix}::extra_body"),
        to_extra_headers(asked.calibrant_extra_headers or asked.tensorzero_extra_headers, f"$.{prefix}::extra_headers"),
        to_provider_tools(
            asked.calibrant_provider_tools or asked.tensorzero_provider_tools, f"$.{prefix}::provider_tools"
        ),
        raw_usage,
        asked.calibrant_include_raw_response or asked.tensorzero_include_raw_response or False,
        asked.calibrant_include_original_response or asked.tensorzero_include_original_response or False,
        NO_CACHE if cache is None else checks.to_cache_policy(cache),
        (
            asked.tensorzero_internal_dynamic_variant_config
            if asked.calibrant_internal_dynamic_variant_config is None
            else asked.calibrant_internal_dynamic_variant_config
        ),
    )
    return Own(
        options,
        checks.checked_tags(tags, field=f"{prefix}::tags") if tags else {},
        None if params is None else checks.to_params(params),
        raw_usage,
    )
