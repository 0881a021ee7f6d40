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


class Own(Struct, frozen=True, kw_only=True):
    """What a request says in fields of ours, under either prefix."""

    episode_id: str | None = None
    variant_name: str | None = None
    namespace: str | None = None
    tags: dict[str, str] = {}
    dryrun: bool = False
    credentials: dict[str, str] = {}
    params: Params | None = None
    extra_body: tuple[ExtraBody, ...] = ()
    extra_headers: tuple[ExtraHeader, ...] = ()
    provider_tools: tuple[ProviderTool, ...] = ()
    raw_usage: bool = False
    raw_response: bool = False
    original_response: bool = False
    cache: CachePolicy = NO_CACHE
    dynamic_variant: dict[str, Any] | None = None


_NOTHING = Own()


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
    own = _read(asked, prefix, now_ms)
    if target.model is not None and own.variant_name is not None:
        raise InvalidRequest(f"`{prefix}::variant_name` goes with a function; a model has no variants")
    return own


def _read(asked: OwnFields, prefix: str, now_ms: int) -> Own:
    cache = asked.calibrant_cache_options or asked.tensorzero_cache_options
    namespace = asked.tensorzero_namespace if asked.calibrant_namespace is None else asked.calibrant_namespace
    if namespace == "":
        raise invalid("must not be empty; leave it out for no namespace", f"$.{prefix}::namespace")
    episode = asked.calibrant_episode_id or asked.tensorzero_episode_id
    tags = asked.calibrant_tags or asked.tensorzero_tags
    params = asked.calibrant_params or asked.tensorzero_params
    return Own(
        episode_id=(
            None if episode is None else checks.checked_id(episode, field=f"{prefix}::episode_id", now_ms=now_ms)
        ),
        variant_name=asked.calibrant_variant_name or asked.tensorzero_variant_name,
        namespace=namespace,
        tags=checks.checked_tags(tags, field=f"{prefix}::tags") if tags else {},
        dryrun=asked.calibrant_dryrun or asked.tensorzero_dryrun or False,
        credentials=asked.calibrant_credentials or asked.tensorzero_credentials or {},
        params=None if params is None else checks.to_params(params),
        extra_body=to_extra_body(asked.calibrant_extra_body or asked.tensorzero_extra_body, f"$.{prefix}::extra_body"),
        extra_headers=to_extra_headers(
            asked.calibrant_extra_headers or asked.tensorzero_extra_headers, f"$.{prefix}::extra_headers"
        ),
        provider_tools=to_provider_tools(
            asked.calibrant_provider_tools or asked.tensorzero_provider_tools, f"$.{prefix}::provider_tools"
        ),
        raw_usage=asked.calibrant_include_raw_usage or asked.tensorzero_include_raw_usage or False,
        raw_response=asked.calibrant_include_raw_response or asked.tensorzero_include_raw_response or False,
        original_response=(
            asked.calibrant_include_original_response or asked.tensorzero_include_original_response or False
        ),
        cache=NO_CACHE if cache is None else checks.to_cache_policy(cache),
        dynamic_variant=(
            asked.tensorzero_internal_dynamic_variant_config
            if asked.calibrant_internal_dynamic_variant_config is None
            else asked.calibrant_internal_dynamic_variant_config
        ),
    )
