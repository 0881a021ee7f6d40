"""From a rendered call to the request that another gateway gets, which calls the provider in our place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from calibrant.config.schema import Provider, Variant
from calibrant.config.secret import AwsKeys, PassedOn, Secret
from calibrant.engine.caching import key_of
from calibrant.engine.compiled import CompiledProvider
from calibrant.engine.engine import Engine
from calibrant.engine.journal import ProviderCall
from calibrant.engine.resolve import Plan
from calibrant.providers.relay import Relay
from calibrant.types.call import HttpCall, ModelCall
from calibrant.types.extra import Scope
from calibrant.types.onward import Onward

__all__ = ["passed_on", "relayed"]


class _Scoped(Protocol):
    @property
    def scope(self) -> Scope: ...


T = TypeVar("T", bound=_Scoped)


def relayed(
    engine: Engine, plan: Plan, variant: Variant, call: ModelCall, step: ProviderCall[CompiledProvider], relay: Relay
) -> HttpCall:
    """Return the signed request; what is recorded of it has no header's value and no credential in it.

    Tags do not change an answer, so the cache's key is taken before they are added.

    Raises:
        ProviderError: the call has what cannot be sent on.
        MissingCredential: the other gateway's key is in no place where it should be.
    """
    onward = _onward(plan, variant, step, stream=call.stream)
    http = relay.changed(relay.encode(call), onward)
    step.cache_key = key_of(engine, plan.request, plan.caller, step, relay.covered(http, onward))
    http = relay.accompanied(http, onward)
    step.raw_request = http.body
    step.secret = passed_on(engine, step.provider.provider, plan.request.credentials)
    return relay.sign(relay.covered(http, onward), step.secret, engine.clock.wall_ms() / 1e3)


def _onward(plan: Plan, variant: Variant, step: ProviderCall[CompiledProvider], *, stream: bool) -> Onward:
    request = plan.request
    return Onward(
        namespace=request.namespace,
        extra_body=(*variant.extra_body, *_for_model(request.extra_body, step)),
        extra_headers=(*variant.extra_headers, *_for_model(request.extra_headers, step)),
        provider_tools=tuple(_for_model(request.provider_tools, step)),
        tags=request.tags,
        dryrun=request.dryrun,
        internal=request.internal,
        raw_usage=request.include_raw_usage,
        # The events of a stream are raw themselves.
        raw_response=request.include_raw_response and not stream,
    )


def _for_model(entries: Sequence[T], step: ProviderCall[CompiledProvider]) -> Sequence[T]:
    """Return what is for this variant and model; for which provider, the other gateway knows."""
    return [
        entry
        for entry in entries
        if entry.scope.variant_name in (None, step.variant_name) and entry.scope.model_name in (None, step.model_name)
    ]


def passed_on(engine: Engine, provider: Provider, given: Mapping[str, str]) -> PassedOn:
    """Return the other gateway's key, and the credentials of a request that go on to it.

    Raises:
        MissingCredential: the key is in no place where it should be.
    """
    key = engine.secrets.get(provider.credential, given)
    if isinstance(key, (PassedOn, AwsKeys)):
        # What the configuration can say of a relay's key is a plain one.
        raise AssertionError("the key of a gateway is one text")
    return PassedOn(key, {name: Secret(value) for name, value in given.items()})
