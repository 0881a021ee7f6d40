"""The plain variant: render, then one call of a model."""

from __future__ import annotations

from time import monotonic

from calibrant.engine.attempt import OpenStream, call_model, open_model
from calibrant.engine.compiled import CompiledVariant
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal
from calibrant.engine.resolve import Plan
from calibrant.engine.sent import still_sent
from calibrant.render.prompt import render_input
from calibrant.types.call import ModelCall
from calibrant.types.reply import Reply

__all__ = ["model_call", "open_stream_of", "reply_of"]


async def reply_of(engine: Engine, plan: Plan, variant: CompiledVariant, journal: Journal) -> Reply:
    """Return the model's whole answer.

    Raises:
        RenderError: a template cannot be rendered.
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
    """
    call = model_call(plan, variant, journal)
    return await call_model(engine, plan, variant.variant, call, journal)


async def open_stream_of(engine: Engine, plan: Plan, variant: CompiledVariant, journal: Journal) -> OpenStream:
    """Return the model's stream, with its first chunk at hand.

    Raises:
        RenderError: a template cannot be rendered.
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
    """
    call = model_call(plan, variant, journal)
    return await open_model(engine, plan, variant.variant, call, journal)


def model_call(plan: Plan, variant: CompiledVariant, journal: Journal) -> ModelCall:
    """Return the call that this variant makes of its model.

    Raises:
        RenderError: a template cannot be rendered.
    """
    began = monotonic()
    config = variant.variant
    journal.variant_name = config.name
    request = plan.request
    system, messages = render_input(request.input, variant.templates, config.legacy_roles)
    params = request.params.over(config.params)
    schema = plan.output_schema
    journal.durations["render"] = (monotonic() - began) * 1e3
    return ModelCall(
        system,
        messages,
        params,
        plan.tools,
        json_mode=params.json_mode or config.json_mode,
        output_schema=schema.source if schema is not None else None,
        stream=request.stream,
        sent=None if request.sent is None else still_sent(request.sent, request.input, system, messages),
    )
