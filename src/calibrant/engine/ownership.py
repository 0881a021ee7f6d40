"""Whose the blocks of an answer are that only its provider can read: sent back, they go to that one alone."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from calibrant.engine.compiled import CompiledProvider
from calibrant.engine.journal import ProviderCall
from calibrant.types.content import OutputBlock, Unknown
from calibrant.types.reply import Chunk, Delta, Reply, UnknownDelta

__all__ = ["owned", "owned_chunks"]

T = TypeVar("T", bound=OutputBlock | Delta)


def owned(reply: Reply, step: ProviderCall[CompiledProvider]) -> Reply:
    """Return the answer with the names of the model and the provider in its unknown blocks."""
    # A plain loop: nearly no answer has any, and each pays for the look.
    for block in reply.content:
        if type(block) is Unknown:
            return replace(reply, content=tuple([_owned(each, step) for each in reply.content]))
    return reply


def owned_chunks(chunks: list[Chunk], step: ProviderCall[CompiledProvider]) -> list[Chunk]:
    """Return the chunks of an answer with the same."""
    for chunk in chunks:
        for delta in chunk.content:
            if type(delta) is UnknownDelta:
                return [
                    replace(each, content=tuple([_owned(piece, step) for piece in each.content])) for each in chunks
                ]
    return chunks


def _owned(piece: T, step: ProviderCall[CompiledProvider]) -> T:
    if not isinstance(piece, (Unknown, UnknownDelta)) or piece.model_name is not None:
        return piece
    # Which of its providers answered, another gateway knows alone.
    provider = None if step.provider.relay is not None else step.provider.provider.name
    return replace(piece, model_name=step.model_name, provider_name=provider)
