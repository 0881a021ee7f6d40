"""What a caller wrote in a vendor's own dialect: what of it still stands, and who can be told.

A provider of that dialect gets the caller's words; what configuration adds or changes comes in place of them or beside
them. Providers of other dialects get our own words, which may lack something: then the request is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from msgspec.structs import replace

from calibrant.base.errors import Inexpressible
from calibrant.config.schema import Provider
from calibrant.engine.compiled import (
    CompiledBestOfN,
    CompiledChainOfThought,
    CompiledDicl,
    CompiledFunction,
    CompiledMixtureOfN,
    CompiledVariant,
    Servable,
)
from calibrant.engine.engine import Engine
from calibrant.providers.spoken import speakers, speaks
from calibrant.types.call import ModelCall
from calibrant.types.message import Input, Message
from calibrant.types.request import InferenceRequest
from calibrant.types.sent import Sent

__all__ = [
    "check_speakers",
    "check_words",
    "passes",
    "plain_variants",
    "still_sent",
    "without_parameters",
    "without_schema",
]

_PARAMETERS = frozenset(
    {
        "logit_bias",
        "logprobs",
        "max_output_tokens",
        "max_tokens",
        "output_config",
        "output_format",
        "prediction",
        "reasoning",
        "service_tier",
        "stop_sequences",
        "stream",
        "temperature",
        "text",
        "thinking",
        "top_k",
        "top_logprobs",
        "top_p",
    }
)
"""Fields of all dialects that say what `Params` says, or change with them what is drawn."""
_SCHEMAS = frozenset({"text.format", "output_config.format", "output_format"})
_SYSTEM = frozenset({"system", "instructions"})


def check_speakers(engine: Engine, function: CompiledFunction, pinned: str | None, sent: Sent) -> None:
    """Refuse a request that no provider of its function can be asked.

    Args:
        engine: The engine.
        function: Whom the request is for.
        pinned: The variant that the caller named.
        sent: What the caller wrote, with something in it that only one dialect can say.

    Raises:
        Inexpressible: no provider speaks that dialect; the message names the fields.
    """
    for name, variant in function.variants.items():
        if pinned not in (None, name):
            continue
        for plain in plain_variants(variant):
            model = engine.compiler.model(plain.variant.model)
            if model is not None and any(speaks(each.provider, sent.dialect) for each in model.providers):
                return
    raise Inexpressible(f"Invalid request body: {_told(sent)}")


def plain_variants(variant: Servable) -> Iterator[CompiledVariant]:
    """Yield the variants that a variant has answer the caller's request: itself, or its candidates."""
    match variant:
        case CompiledVariant():
            yield variant
        case CompiledChainOfThought():
            yield variant.call
        case CompiledDicl():
            # What it asks is made of examples: no word of the caller's stands as it was.
            return
        case CompiledBestOfN() | CompiledMixtureOfN():
            for candidate in variant.candidates:
                yield from plain_variants(candidate)
        case _:
            assert_never(variant)


def check_words(request: InferenceRequest, variant_name: str) -> None:
    """Refuse a request that says what no other dialect can, for a variant whose call is in our own words.

    Raises:
        Inexpressible: it does; the message names the fields.
    """
    if request.sent is not None and request.sent.only:
        raise Inexpressible(
            f"the variant {variant_name!r} cannot be told {', '.join(request.sent.only[:5])}; leave this out, or name "
            "a variant of the type 'chat_completion'"
        )


def without_parameters(sent: Sent) -> Sent:
    """Return what the caller wrote, for a call that has parameters of its own."""
    return sent.without_fields(_PARAMETERS)


def without_schema(sent: Sent) -> Sent:
    """Return what the caller wrote, for a call that asks for JSON of a schema of its own."""
    return sent.without_fields(_SCHEMAS)


def still_sent(sent: Sent, given: Input, system: str | None, messages: tuple[Message, ...]) -> Sent:
    """Return what of the caller's words stands once the input has been rendered.

    Args:
        sent: What the caller wrote.
        given: What it was read as.
        system: The system prompt, rendered.
        messages: The messages, rendered.
    """
    if messages != given.messages:
        sent = sent.without({place for place, message in enumerate(messages) if message != given.messages[place]})
    if system == given.system:
        return sent
    # Instructions between the messages are in the system prompt that the template was given.
    kept = tuple([each for each in sent.messages if each.place is not None])
    return replace(sent.without_fields(_SYSTEM), messages=kept, whole_system=False)


def passes(call: ModelCall, sent: Sent, provider: Provider, *, chat: bool) -> bool:
    """Return whether what the provider says may pass to the caller as it is.

    Args:
        call: What is asked of it.
        sent: What the caller wrote.
        provider: The provider.
        chat: Whether the function is a chat function.

    Raises:
        Inexpressible: it cannot be asked at all.
    """
    if speaks(provider, sent.dialect):
        # What is ours in answers of OpenAI's dialects (ids, usage, cost) stands among what is theirs.
        whole = sent.dialect == "anthropic_messages" and chat
        return whole and call.json_mode != "tool" and not provider.discard_unknown_chunks
    if sent.only:
        raise Inexpressible(f"provider {provider.name!r} ({provider.type}): {_told(sent)}")
    return False


def _told(sent: Sent) -> str:
    return (
        f"only providers {speakers(sent.dialect)} can be told {', '.join(sent.only[:5])}; leave it out, or use a model "
        "with such a provider"
    )
