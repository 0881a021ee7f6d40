"""A run: each sample asked as an inference of its own, some at a time."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import AsyncGenerator, AsyncIterator
from time import monotonic
from typing import Any

import msgspec
from msgspec.structs import replace

from calibrant.base.errors import CalibrantError, InvalidRequest
from calibrant.config.dynamic import edited_variant
from calibrant.datasets.asking import request_of
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.infer import infer
from calibrant.engine.record import output_json, redacted
from calibrant.replay.comparing import same_blocks, same_value
from calibrant.types.answer import Answered
from calibrant.types.content import OutputBlock
from calibrant.types.datapoint import Content, JsonValue
from calibrant.types.key import DEFAULT_FUNCTION
from calibrant.types.replay import EPISODE_TAG, OF_TAG, RUN_TAG, Case, Fault, Figures, Replay, Sample
from calibrant.types.request import InferenceRequest

__all__ = ["replayed"]

_RESERVED = ("tensorzero::", "calibrant::")
_NAMESPACE = "tensorzero::namespace"
_encode = msgspec.json.Encoder().encode
_blocks = msgspec.json.Decoder(tuple[OutputBlock, ...]).decode
_value = msgspec.json.Decoder(JsonValue).decode


async def replayed(
    engine: Engine, samples: AsyncIterator[Sample], how: Replay, caller: Caller, run_id: str
) -> AsyncGenerator[Case]:
    """Yield what came of each sample, as soon as it is over.

    When nobody takes cases any more no further sample is asked, and what had begun is brought to its end, since it is
    paid for.

    Args:
        engine: The engine.
        samples: What to ask.
        how: Through which variant, and how many at a time.
        caller: Who asks.
        run_id: Of the run; inferences have it as a tag.
    """
    running: set[Task[Case]] = set()
    loop = asyncio.get_running_loop()
    number = 0
    try:
        async for sample in samples:
            running.add(loop.create_task(_case(engine, sample, number, how, caller, run_id)))
            number += 1
            if len(running) >= how.concurrency:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        await _end(running)


async def _end(running: set[Task[Case]]) -> None:
    try:
        if running:
            await asyncio.wait(running)
    except asyncio.CancelledError:
        for task in running:
            task.cancel()
        raise


async def _case(engine: Engine, sample: Sample, number: int, how: Replay, caller: Caller, run_id: str) -> Case:
    case = Case(number=number, sample=sample, variant_name=how.variant_name)
    if sample.content is None:
        return replace(case, fault=sample.fault)
    started = monotonic()
    try:
        answered = await infer(engine, _request(engine, sample, sample.content, how, run_id), caller, started)
    except CalibrantError as error:
        return replace(case, fault=Fault(error.code, error.message))
    processing_ms = (monotonic() - started) * 1e3
    output = _output(answered)
    return replace(
        case,
        inference_id=answered.head.inference_id,
        variant_name=answered.head.variant_name,
        output=output,
        same_output=_same(engine, sample.content, answered, output),
        figures=Figures(answered.usage.input_tokens, answered.usage.output_tokens, answered.cost, processing_ms),
        cached=any(call.cached for call in answered.calls),
    )


def _request(engine: Engine, sample: Sample, content: Content, how: Replay, run_id: str) -> InferenceRequest:
    request = replace(
        request_of(content, dryrun=not how.recorded),
        tags=_tags(sample, run_id),
        namespace=sample.tags.get(_NAMESPACE),
        cache=how.cache,
        credentials=how.credentials,
        include_raw_usage=True,
    )
    if content.function_name == DEFAULT_FUNCTION:
        if how.variant_name is None or how.templates:
            raise InvalidRequest("it was asked of a model, without a function; name a model in `variant_name`")
        return replace(request, function_name=None, model_name=how.variant_name)
    if how.variant is not None:
        return replace(request, dynamic_variant=how.variant)
    if how.templates and how.variant_name is not None:
        table = edited_variant(engine.config, content.function_name, how.variant_name, how.templates)
        return replace(request, dynamic_variant=table)
    return replace(request, variant_name=how.variant_name)


def _tags(sample: Sample, run_id: str) -> dict[str, str]:
    """Return the sample's own tags, by which its user is found when he is to be forgotten, and those of the run."""
    own = {key: value for key, value in sample.tags.items() if not key.startswith(_RESERVED)}
    # What a replay asked was said in the episode before it.
    said_in = sample.tags.get(EPISODE_TAG, sample.episode_id)
    return {**own, RUN_TAG: run_id, OF_TAG: sample.id, **({} if said_in is None else {EPISODE_TAG: said_in})}


def _output(answered: Answered) -> Any:
    if answered.head.function_type == "chat":
        return answered.content
    return JsonValue(answered.raw, msgspec.Raw(_encode(answered.parsed)))


def _same(engine: Engine, content: Content, answered: Answered, output: Any) -> bool | None:
    stored = content.output
    if stored is None or isinstance(stored, JsonValue) is not isinstance(output, JsonValue):
        return None
    if _equal(stored, output):
        return True
    # What stands in the record went through the hook.
    kept = None if engine.redact is None else redacted(engine, output_json(answered), "output")
    if kept is None:
        return False
    try:
        return _equal(stored, _value(kept) if isinstance(stored, JsonValue) else _blocks(kept))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _equal(stored: tuple[OutputBlock, ...] | JsonValue, output: Any) -> bool:
    return same_value(stored, output) if isinstance(stored, JsonValue) else same_blocks(stored, output)
