"""The response cache beside a call of a provider: its key, what is taken from it, what goes into it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

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

__all__ = ["Keeping", "keep", "key_of", "put", "recall", "uncharged"]

_NOTHING_USED = Usage(0, 0)


class Keeping(Struct, frozen=True):
    """A streamed answer on its way into the cache."""

    headers: Headers
    pieces: list[bytes]


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


async def recall(engine: Engine, policy: CachePolicy, step: ProviderCall[P]) -> Cached | None:
    """Return the answer that the cache has, or null; the call is then marked as answered by it."""
    if engine.cache is None or step.cache_key is None or not policy.reads:
        return None
    held = await engine.cache.get(step.cache_key, policy.max_age_s)
    step.cached = held is not None
    engine.metrics.count("cache_hits" if step.cached else "cache_misses", (step.model_name,))
    return held


def keep(
    engine: Engine,
    plan: Plan,
    step: ProviderCall[CompiledProvider],
    reply: Reply,
    headers: Headers,
    body: bytes,
) -> None:
    """Put an answer into the cache, where the request allows it and the answer is worth it."""
    if plan.request.dryrun or plan.function.function.payloads != "full" or not _usable(plan, reply):
        return
    put(engine, plan.request.cache, step, headers, body)


def put(engine: Engine, policy: CachePolicy, step: ProviderCall[P], headers: Headers, body: bytes) -> None:
    """Put what a provider answered into the cache, unless it came from there or the caller will not have it."""
    if engine.cache is None or step.cache_key is None or step.cached or not policy.writes:
        return
    engine.cache.put(step.cache_key, step.model_name, Cached(engine.clock.wall_ms(), headers, body))


def uncharged(reply: Reply, step: ProviderCall[CompiledProvider]) -> Reply:
    """Return what the cache answered: it used nothing, and nothing of it is raw, unless it passes as it was."""
    return replace(reply, usage=_NOTHING_USED, raw=reply.raw if step.verbatim else b"")


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
