"""How many tokens a request would be: its provider's own count, or an estimate. Nothing is inferred or recorded."""

from __future__ import annotations

from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import CalibrantError, InvalidRequest
from calibrant.engine.attempt import GIVEN_UP, failed_by_all
from calibrant.engine.compiled import CompiledProvider
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.limits import outermost, tighter
from calibrant.engine.prepare import counting
from calibrant.engine.resolve import Plan, resolve
from calibrant.engine.sent import plain_variants
from calibrant.engine.variants.chat_completion import model_call
from calibrant.providers.estimate import estimated_input
from calibrant.types.call import ModelCall
from calibrant.types.request import InferenceRequest

__all__ = ["Counted", "count_tokens"]


_PLENTY = 1_000_000


class Counted(Struct, frozen=True):
    """A number of tokens."""

    tokens: int
    estimated: bool
    """Whether nobody has counted them."""


async def count_tokens(engine: Engine, request: InferenceRequest, caller: Caller, started: float) -> Counted:
    """Return how many tokens the request would be for the first provider that can say it.

    Args:
        engine: The engine.
        request: What would be asked. Of a function the variant counts that would be tried first, or what it has
            answer first.
        caller: Where it came from.
        started: Monotonic seconds at which the request had arrived.

    Raises:
        RequestError: the request cannot be served as it stands.
        RenderError: its template cannot be rendered.
        ProvidersExhausted: no provider could say it.
        MissingCredential: none could be asked, for want of what the request should have brought.
        ClientDisconnected: nobody waits for it any more.
    """
    plan = resolve(engine, request, caller, started)
    journal = Journal(plan.inference_id)
    variant = next(plain_variants(next(plan.draw.order)), None)
    if variant is None:
        raise InvalidRequest("the function's prompt is made of examples when it is asked; its tokens cannot be counted")
    call = model_call(plan, variant, journal)
    if call.params.max_tokens is None:
        # Some providers cannot be asked without, and it does not count.
        call = replace(call, params=replace(call.params, max_tokens=_PLENTY))
    model = engine.compiler.model(variant.variant.model)
    if model is None:
        raise InvalidRequest(f"the variant {variant.variant.name!r} names a model that does not exist")
    name = model.model.name
    now = monotonic()
    limit = tighter(outermost(engine.config.gateway, now), model.model.timeouts, now, "model", name, stream=False)
    failures: list[tuple[str, CalibrantError]] = []
    for provider in model.providers:
        step = ProviderCall(variant.variant.name, name, provider, limit, now)
        try:
            counted = _counted(engine, plan, call, step)
            return await (counted if caller.presence is None else caller.presence.wait_for(counted))
        except GIVEN_UP as error:
            failures.append((provider.provider.name, step.discreet(error)))
    raise failed_by_all(model, failures)


async def _counted(engine: Engine, plan: Plan, call: ModelCall, step: ProviderCall[CompiledProvider]) -> Counted:
    http, counter = counting(engine, plan, call, step)
    if counter is None:
        return Counted(estimated_input(http.body) or 0, estimated=True)
    response = await engine.sender.send(http, step.limit.deadline(stream=False))
    body = await response.read()
    return Counted(counter.decode_count(response.status, response.headers, body), estimated=False)
