"""Dynamic in-context learning: the demonstrations nearest to a request come before it, as turns of the conversation.

What is compared is the input's JSON as it is recorded: by an embedding model, or by hashed TF-IDF where none is named.
Without a neighbour it is a plain call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import InferenceTimeout, InternalError
from calibrant.engine.attempt import OpenStream, call_model, open_model
from calibrant.engine.compiled import CompiledDicl
from calibrant.engine.embed import embed
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal
from calibrant.engine.limits import outermost, tighter
from calibrant.engine.resolve import Plan
from calibrant.engine.sent import check_words
from calibrant.types.call import EmbeddingCall, ModelCall
from calibrant.types.content import File, InputBlock, RawText, Template, Text
from calibrant.types.embedding import EmbeddingRequest
from calibrant.types.example import Neighbour
from calibrant.types.message import Input, Message
from calibrant.types.reply import Reply

__all__ = ["DEFAULT_INSTRUCTIONS", "open_stream_of", "reply_of"]

DEFAULT_INSTRUCTIONS = """\
You carry out one task again and again. Each user message is one input of the task, as JSON, with its own system \
prompt and messages where it has them. The turns before the last are earlier inputs, each with the answer that was \
right for it. Work out from them what the task asks for and in which form, then answer the last input in the same way, \
and with nothing else."""

_json = msgspec.json.Encoder().encode
_blocks = msgspec.json.Decoder(list[dict[str, object]]).decode


class _Output(Struct, frozen=True):
    raw: str | None


_output = msgspec.json.Decoder(_Output).decode


class _Strategy(Struct, frozen=True):
    """What is recorded of the choice."""

    type: str
    examples: tuple[str, ...]
    """Ids of the demonstrations, as the model saw them."""
    distances: tuple[float, ...]


async def reply_of(engine: Engine, plan: Plan, variant: CompiledDicl, journal: Journal) -> Reply:
    """Return the model's whole answer.

    Raises:
        ProvidersExhausted: every provider of the model, or of the embedding model, failed.
        InferenceTimeout: the time of the variant or of something in it is over.
    """
    call = await _call(engine, plan, variant, journal)
    return await call_model(engine, plan, variant.variant.call, call, journal)


async def open_stream_of(engine: Engine, plan: Plan, variant: CompiledDicl, journal: Journal) -> OpenStream:
    """Return the model's stream, with its first chunk at hand.

    Raises:
        ProvidersExhausted: every provider of the model, or of the embedding model, failed.
        InferenceTimeout: the time of the variant or of something in it is over.
    """
    call = await _call(engine, plan, variant, journal)
    return await open_model(engine, plan, variant.variant.call, call, journal)


async def _call(engine: Engine, plan: Plan, variant: CompiledDicl, journal: Journal) -> ModelCall:
    config = variant.variant
    journal.variant_name = config.name
    check_words(plan.request, config.name)
    now = monotonic()
    outer = journal.limit or outermost(engine.config.gateway, now)
    journal.limit = tighter(outer, config.timeouts, now, "variant", config.name, stream=plan.request.stream)
    given = _json(_described(plan.request.input)).decode()
    near = await _neighbours(engine, plan, variant, journal, given)
    journal.strategy = _json(
        _Strategy(
            "dynamic_in_context_learning",
            tuple(each.demonstration.id for each in near),
            tuple(round(each.distance, 6) for each in near),
        )
    )
    request = plan.request
    params = request.params.over(config.call.params)
    schema = plan.output_schema
    instructions = config.system_instructions or DEFAULT_INSTRUCTIONS
    if near:
        system, messages = instructions, _shown(near, given, _files(request.input))
    else:
        system, messages = _plain(config.system_instructions, request.input)
    return ModelCall(
        system,
        messages,
        params,
        plan.tools,
        json_mode=params.json_mode or config.call.json_mode,
        output_schema=schema.source if schema is not None else None,
        stream=request.stream,
    )


async def _neighbours(
    engine: Engine, plan: Plan, variant: CompiledDicl, journal: Journal, given: str
) -> Sequence[Neighbour]:
    if engine.examples is None:
        return ()
    config = variant.variant
    vector: Sequence[float] | None = None
    if config.embedding_model is not None:
        request = EmbeddingRequest(
            config.embedding_model,
            EmbeddingCall((given,), encoding_format="float"),
            credentials=plan.request.credentials,
            cache=plan.request.cache,
            namespace=plan.request.namespace,
        )
        limit = None if journal.limit is None else journal.limit.until_first()
        reply = await embed(engine, request, plan.caller, journal, variant_name=config.name, limit=limit)
        # Vectors are no tokens.
        journal.others.append(replace(reply.usage, output_tokens=0))
        found = reply.embeddings[0]
        if isinstance(found, str):
            raise InternalError("an embedding came as base64 where numbers were asked for")
        vector = found
    limit = journal.limit or outermost(engine.config.gateway, monotonic())
    due = limit.total if limit.first is None else min(limit.total, limit.first)
    try:
        async with asyncio.timeout(due - monotonic()):
            return await engine.examples.nearest(plan.function.function.name, config, given, vector, plan.episode_id)
    except TimeoutError:
        raise limit.over(due) or InferenceTimeout("no time is left to look for examples") from None


def _shown(near: Sequence[Neighbour], given: str, files: tuple[File, ...]) -> tuple[Message, ...]:
    """Return the conversation with the examples as its turns, the nearest last, next to what is asked."""
    turns: list[Message] = []
    for each in reversed(near):
        turns.append(Message("user", (Text(each.demonstration.input.decode("utf-8", "replace")),)))
        turns.append(Message("assistant", (Text(_answer(each.demonstration.output)),)))
    return (*turns, Message("user", (Text(given), *files)))


def _described(given: Input) -> Input:
    """Return the input with files named and not held: their bytes are no text to be compared."""
    if not _files(given):
        return given
    messages = [Message(each.role, tuple(map(_named, each.content))) for each in given.messages]
    return Input(tuple(messages), given.system)


def _named(block: InputBlock) -> InputBlock:
    return replace(block, data=None) if isinstance(block, File) else block


def _files(given: Input) -> tuple[File, ...]:
    return tuple(block for message in given.messages for block in message.content if isinstance(block, File))


def _answer(output: bytes) -> str:
    """Return a demonstration as a model would have written it."""
    if output.lstrip()[:1] == b"{":
        return _output(output).raw or ""
    blocks = _blocks(output)
    texts = [block["text"] for block in blocks if block.get("type") == "text"]
    if len(texts) == len(blocks):
        return "\n".join(str(text) for text in texts)
    return output.decode("utf-8", "replace")


def _plain(instructions: str | None, given: Input) -> tuple[str | None, tuple[Message, ...]]:
    """Return the conversation as it is, with arguments of templates as JSON: the variant has no templates."""
    system = given.system if isinstance(given.system, str) or given.system is None else _json(given.system).decode()
    pieces = [piece for piece in (instructions, system) if piece]
    messages = tuple(Message(each.role, tuple(map(_bare, each.content))) for each in given.messages)
    return "\n\n".join(pieces) or None, messages


def _bare(block: InputBlock) -> InputBlock:
    match block:
        case RawText(value):
            return Text(value)
        case Template(_, arguments):
            return Text(_json(arguments).decode())
        case _:
            return block
