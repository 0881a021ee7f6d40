"""From a rendered call to the request that one provider gets: scope, encode, change, sign."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from msgspec.structs import replace

from calibrant.config.schema import Variant
from calibrant.engine.caching import key_of
from calibrant.engine.compiled import CompiledProvider, P
from calibrant.engine.engine import Engine
from calibrant.engine.grants import check_model
from calibrant.engine.journal import ProviderCall
from calibrant.engine.relaying import relayed
from calibrant.engine.resolve import Plan
from calibrant.engine.sent import passes
from calibrant.providers.base import Adapter, Counter
from calibrant.providers.extra import changed
from calibrant.types.call import HttpCall, ModelCall
from calibrant.types.content import Unknown
from calibrant.types.extra import Scope
from calibrant.types.message import Message

__all__ = ["counting", "encoded", "prepared"]


def prepared(
    engine: Engine, plan: Plan, variant: Variant, call: ModelCall, step: ProviderCall[CompiledProvider]
) -> HttpCall:
    """Return the signed request; what is recorded of it is taken before it is signed.

    Changes are made in the order variant, provider, request, so that the caller has the last word.

    Raises:
        ProviderError: this provider cannot serve the call, or a change cannot be made.
        Inexpressible: the caller asks for what only the caller's own dialect has, and this provider speaks another.
        MissingCredential: its credential, address or region is in no place where it should be.
        Forbidden: the caller's API key may not have this model called.
    """
    provider = step.provider.provider
    if plan.caller.grants is not None or call.sent is not None:
        _check(plan, call, step)
    if step.provider.relay is not None:
        return relayed(engine, plan, variant, _without_foreign(call, step.model_name, None), step, step.provider.relay)
    adapter, http = _encoded(plan, variant, call, step)
    step.cache_key = key_of(engine, plan.request, plan.caller, step, http)
    step.secret = engine.secrets.get(provider.credential, plan.request.credentials)
    return adapter.sign(http, step.secret, engine.clock.wall_ms() / 1e3)


def encoded(
    plan: Plan, variant: Variant, call: ModelCall, step: ProviderCall[CompiledProvider]
) -> tuple[Adapter, HttpCall]:
    """Return the request that the provider gets, not signed yet, and who signs it.

    Raises:
        ProviderError, Inexpressible, MissingCredential, Forbidden: as for `prepared`.
    """
    _check(plan, call, step)
    return _encoded(plan, variant, call, step)


def _check(plan: Plan, call: ModelCall, step: ProviderCall[CompiledProvider]) -> None:
    if plan.caller.grants is not None:
        check_model(step.model_name, plan.caller.grants)
    if call.sent is not None:
        step.verbatim = passes(call, call.sent, step.provider.provider, chat=plan.function.function.type == "chat")


def _encoded(
    plan: Plan, variant: Variant, call: ModelCall, step: ProviderCall[CompiledProvider]
) -> tuple[Adapter, HttpCall]:
    provider, request = step.provider.provider, plan.request
    adapter = step.provider.speaking(request.credentials)
    http = adapter.encode(_scoped(plan, call, step))
    if any(
        (
            variant.extra_body,
            provider.extra_body,
            request.extra_body,
            variant.extra_headers,
            provider.extra_headers,
            request.extra_headers,
        )
    ):
        body = (*variant.extra_body, *provider.extra_body, *_held(request.extra_body, step))
        headers = (*variant.extra_headers, *provider.extra_headers, *_held(request.extra_headers, step))
        http = changed(http, body, headers)
    step.raw_request = http.body
    return adapter, http


def counting(
    engine: Engine, plan: Plan, call: ModelCall, step: ProviderCall[CompiledProvider]
) -> tuple[HttpCall, Counter | None]:
    """Return the signed request that has the call's tokens counted, and who reads the answer.

    Where the provider counts none, the request is the one that it would be asked to answer, not signed.

    Raises:
        ProviderError: this provider cannot serve the call.
        Inexpressible, MissingCredential: as for `prepared`.
    """
    if plan.caller.grants is not None:
        check_model(step.model_name, plan.caller.grants)
    provider = step.provider.provider
    credentials = plan.request.credentials
    if call.sent is not None:
        passes(call, call.sent, provider, chat=False)
    adapter = step.provider.speaking(credentials)
    scoped = _scoped(plan, call, step)
    if not isinstance(adapter, Counter):
        return adapter.encode(scoped), None
    http = adapter.encode_count(scoped)
    headers = (*provider.extra_headers, *_held(plan.request.extra_headers, step))
    if headers:
        http = changed(http, (), headers)
    step.secret = engine.secrets.get(provider.credential, credentials)
    return adapter.sign(http, step.secret, engine.clock.wall_ms() / 1e3), adapter


class _Scoped(Protocol):
    @property
    def scope(self) -> Scope: ...


T = TypeVar("T", bound=_Scoped)


def _held(entries: Sequence[T], step: ProviderCall[P]) -> Sequence[T]:
    if not entries:
        return ()
    names = (step.variant_name, step.model_name, step.provider.provider.name)
    return [entry for entry in entries if entry.scope.holds(*names)]


def _scoped(plan: Plan, call: ModelCall, step: ProviderCall[CompiledProvider]) -> ModelCall:
    """Return the call with the provider's own tools, and without what is meant for another model."""
    own, asked = step.provider.provider.provider_tools, plan.request.provider_tools
    if own or asked:
        call = replace(call, provider_tools=(*own, *(each.tool for each in _held(asked, step))))
    name = step.provider.provider.name
    return _without_foreign(call, step.model_name, name) if _has_foreign(call.messages, step.model_name, name) else call


def _without_foreign(call: ModelCall, model_name: str, provider_name: str | None) -> ModelCall:
    """Return the call without the blocks of other models and providers; of any provider where none is named."""
    mine = [_mine(message, model_name, provider_name) for message in call.messages]
    kept = [place for place, message in enumerate(mine) if message.content]
    sent = None if call.sent is None else call.sent.moved({place: now for now, place in enumerate(kept)})
    return replace(call, messages=tuple([mine[place] for place in kept]), sent=sent)


def _has_foreign(messages: Iterable[Message], model_name: str, provider_name: str | None) -> bool:
    # A plain loop: nearly no call has any, and each pays for the look.
    for message in messages:
        for block in message.content:
            if type(block) is Unknown and _is_foreign(block, model_name, provider_name):
                return True
    return False


def _is_foreign(block: Unknown, model_name: str, provider_name: str | None) -> bool:
    if block.model_name not in (None, model_name):
        return True
    return provider_name is not None and block.provider_name not in (None, provider_name)


def _mine(message: Message, model_name: str, provider_name: str | None) -> Message:
    kept = [b for b in message.content if not (isinstance(b, Unknown) and _is_foreign(b, model_name, provider_name))]
    return message if len(kept) == len(message.content) else Message(message.role, tuple(kept))
