"""The response cache beside a call of a provider: its key, what is taken from it, what goes into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import chain
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import CalibrantError
from calibrant.engine.compiled import CompiledProvider, P
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.journal import ProviderCall
from calibrant.engine.output import parse_json
from calibrant.engine.resolve import Plan
from calibrant.store.cache import cache_key
from calibrant.types.cached import Cached, CachePolicy
from calibrant.types.call import Headers, HttpCall
from calibrant.types.content import ToolCall
from calibrant.types.reply import Reply, Usage

__all__ = ["Keeping", "keep", "keeping", "key_of", "put", "recall", "uncharged"]

_NOTHING_USED = Usage(0, 0)

T = TypeVar("T")


class Keeping(Struct):
    """A streamed answer on its way into the cache."""

    headers: Headers
    room: int
    """How many bytes it may still grow by."""
    pieces: list[bytes] | None = []
    """Null where it has become too large."""

    def add(self, data: bytes) -> None:
        """Take what came."""
        self.room -= len(data)
        if self.room < 0:
            self.pieces = None
        elif self.pieces is not None:
            self.pieces.append(data)


class _Asking(Protocol):
    """A request, as far as the cache's key depends on it."""

    @property
    def cache(self) -> CachePolicy: ...
    @property
    def credentials(self) -> Mapping[str, str]: ...


def key_of(engine: Engine, request: _Asking, caller: Caller, step: ProviderCall[P], http: HttpCall) -> bytes | None:
    """Return the key of a request as the provider would get it, before it is signed; null where nothing is cached.

    A provider's address, its model and every change of the request are in it, so no edit of the configuration can
    bring back what was answered before. Unless everyone shares answers, so are the caller's API key and the credentials
    that came with the request: they may see other things, or nothing.
    """
    if engine.cache is None or request.cache.mode == "off":
        return None
    shared = engine.config.gateway.cache.scope == "shared"
    owner = "" if shared else caller.key_id or ""
    brought = () if shared else chain.from_iterable(sorted(request.credentials.items()))
    headers = "\n".join(f"{name}: {value}" for name, value in http.headers)
    named = (step.model_name, step.provider.provider.name, step.salt)
    return cache_key(owner, *named, http.method, http.url, headers, http.body, *brought)


async def recall(engine: Engine, policy: CachePolicy, step: ProviderCall[P], decode: Callable[[Cached], T]) -> T | None:
    """Return the answer that the cache has, decoded, and mark the call as answered by it; null where it has none.

    What cannot be decoded any more is none: the provider is asked, and its answer takes the place of it.
    """
    if engine.cache is None or step.cache_key is None or not policy.reads:
        return None
    held = await engine.cache.get(step.cache_key, policy.max_age_s)
    answer = None
    if held is not None:
        with suppress(CalibrantError):
            answer = decode(held)
    step.cached = answer is not None
    engine.metrics.count("cache_hits" if step.cached else "cache_misses", (step.model_name,))
    return answer


def keeping(engine: Engine, plan: Plan, headers: Headers) -> Keeping | None:
    """Return what collects a stream for the cache, or null where it would not be kept."""
    if not plan.request.cache.writes or not _may_be_kept(plan):
        return None
    return Keeping(headers, engine.config.gateway.cache.max_entry_bytes)


def keep(
    engine: Engine,
    plan: Plan,
    step: ProviderCall[CompiledProvider],
    reply: Reply,
    headers: Headers,
    body: bytes,
) -> None:
    """Put an answer into the cache, where the request allows it and the answer is worth it."""
    if _may_be_kept(plan) and _usable(plan, reply):
        put(engine, plan.request.cache, step, headers, body)


def put(engine: Engine, policy: CachePolicy, step: ProviderCall[P], headers: Headers, body: bytes) -> None:
    """Put what a provider answered into the cache, unless it came from there or the caller will not have it."""
    if engine.cache is None or step.cache_key is None or step.cached or not policy.writes:
        return
    engine.cache.put(step.cache_key, step.model_name, Cached(engine.clock.wall_ms(), headers, body))


def uncharged(reply: Reply, step: ProviderCall[CompiledProvider]) -> Reply:
    """Return what the cache answered: it used nothing, and nothing of it is raw, unless it passes as it was."""
    return replace(reply, usage=_NOTHING_USED, raw=reply.raw if step.verbatim else b"")


def _may_be_kept(plan: Plan) -> bool:
    return not plan.request.dryrun and plan.function.function.payloads == "full"


def _usable(plan: Plan, reply: Reply) -> bool:
    """Return whether each call of a tool names one and fits its schema: who asks again may get a better one."""
    for block in reply.content:
        if isinstance(block, ToolCall):
            if block.raw_name not in plan.tool_schemas:
                return False
            schema = plan.tool_schemas[block.raw_name]
            # Null where the tool is called with text, and any text will do.
            if schema is not None and parse_json(block.raw_arguments, schema) is None:
                return False
    return True
