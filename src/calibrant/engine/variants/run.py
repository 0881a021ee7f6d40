"""Has a variant answer, whatever its type: whole, or as a stream that has begun."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, assert_never

from calibrant.engine.attempt import OpenStream
from calibrant.engine.compiled import (
    CompiledBestOfN,
    CompiledChainOfThought,
    CompiledDicl,
    CompiledMixtureOfN,
    CompiledVariant,
    Servable,
)
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal
from calibrant.engine.resolve import Plan
from calibrant.engine.variants import best_of_n, chain_of_thought, chat_completion, dicl, mixture_of_n
from calibrant.engine.variants.settled import settled
from calibrant.types.reply import Reply

__all__ = ["open_stream_of", "reply_of"]


def reply_of(engine: Engine, plan: Plan, variant: Servable, journal: Journal) -> Coroutine[Any, Any, Reply]:
    """Return what, awaited, is the variant's whole answer.

    Raises:
        RenderError: a template cannot be rendered.
        ProvidersExhausted: every provider failed, on every retry.
        AllCandidatesFailed: so did every candidate.
        InferenceTimeout: the variant's time, or that of something in it, is over.
    """
    match variant:
        case CompiledVariant():
            return chat_completion.reply_of(engine, plan, variant, journal)
        case CompiledBestOfN():
            return best_of_n.reply_of(engine, plan, variant, journal, reply_of)
        case CompiledMixtureOfN():
            return mixture_of_n.reply_of(engine, plan, variant, journal, reply_of)
        case CompiledChainOfThought():
            return chain_of_thought.reply_of(engine, plan, variant, journal)
        case CompiledDicl():
            return dicl.reply_of(engine, plan, variant, journal)
        case _:
            assert_never(variant)


async def open_stream_of(engine: Engine, plan: Plan, variant: Servable, journal: Journal) -> OpenStream:
    """Return the variant's stream, with its first chunk at hand.

    One that cannot stream is waited for, and what it answered comes at once.

    Raises:
        CalibrantError: as `reply_of` says.
    """
    match variant:
        case CompiledVariant():
            return await chat_completion.open_stream_of(engine, plan, variant, journal)
        case CompiledMixtureOfN():
            return await mixture_of_n.open_stream_of(engine, plan, variant, journal, reply_of)
        case CompiledDicl():
            return await dicl.open_stream_of(engine, plan, variant, journal)
        case CompiledBestOfN() | CompiledChainOfThought():
            return settled(await reply_of(engine, plan, variant, journal))
        case _:
            assert_never(variant)
