"""Bodies of replays and renderings, and the lines and lists that answer them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from calibrant.apischema import replay as shape
from calibrant.apischema.inferences import ListBody
from calibrant.base.errors import InvalidRequest
from calibrant.config.schema import Metric
from calibrant.types.cached import NO_CACHE
from calibrant.types.query import Query
from calibrant.types.replay import Case, Difference, Fault, Figures, Rendered, Replay, Summary
from calibrant.wire import body as checks
from calibrant.wire.body import invalid
from calibrant.wire.datapoint_answer import block_shown, input_shown, tool_shown
from calibrant.wire.inferences import to_listing
from calibrant.wire.jsonl import line_of
from calibrant.wire.statistics import interval_of

__all__ = [
    "Rendering",
    "Wanted",
    "decode_render",
    "decode_replay",
    "encode_case",
    "encode_rendered",
    "encode_run",
    "encode_summary",
]

_REPLAY = msgspec.json.Decoder(shape.ReplayBody)
_RENDER = msgspec.json.Decoder(shape.RenderBody)
_line = msgspec.json.Encoder(decimal_format="number").encode
_CONCURRENCY = 4


class Wanted(Struct, frozen=True):
    """What a run asks again, and how. One of the first three is there."""

    inference_ids: tuple[str, ...] | None
    query: Query | None
    dataset: shape.DatasetChoice | None
    how: Replay


class Rendering(Struct, frozen=True):
    """What is to be rendered, and with whose templates, by function."""

    inference_ids: tuple[str, ...]
    datapoint_ids: tuple[str, ...]
    variants: dict[str, str]


def decode_replay(body: bytes, metrics: Mapping[str, Metric]) -> Wanted:
    """Return the run that a body asks for.

    Raises:
        InvalidRequest: it is malformed, or says too little or too much; the message has the JSON path.
    """
    asked = checks.parse(_REPLAY, body)
    checks.check_text(body)
    if sum(each is not None for each in (asked.inference_ids, asked.query, asked.dataset)) != 1:
        raise InvalidRequest("A replay needs exactly one of `inference_ids`, `query` and `dataset`")
    if (asked.variant_name is None) == (asked.variant is None):
        raise InvalidRequest("A replay needs exactly one of `variant_name` and `variant`")
    if asked.templates and asked.variant is not None:
        raise InvalidRequest("`templates` take the place of those of `variant_name`; write them into `variant` itself")
    checks.refuse_deep(asked.variant, "$.variant")
    return Wanted(
        None if asked.inference_ids is None else _ids(asked.inference_ids, "inference_ids"),
        None if asked.query is None else _query(asked.query, metrics),
        asked.dataset,
        Replay(
            variant_name=asked.variant_name,
            variant=asked.variant,
            templates=asked.templates or {},
            dryrun=asked.dryrun or False,
            concurrency=asked.concurrency or _CONCURRENCY,
            cache=NO_CACHE if asked.cache_options is None else checks.to_cache_policy(asked.cache_options),
            credentials=asked.credentials or {},
        ),
    )


def decode_render(body: bytes) -> Rendering:
    """Return what a body asks to be rendered.

    Raises:
        InvalidRequest: it is malformed, or names nothing; the message has the JSON path.
    """
    asked = checks.parse(_RENDER, body)
    checks.check_text(body)
    if asked.inference_ids is None and asked.datapoint_ids is None:
        raise InvalidRequest("Name something to render in `inference_ids` or `datapoint_ids`")
    return Rendering(
        _ids(asked.inference_ids or [], "inference_ids"),
        _ids(asked.datapoint_ids or [], "datapoint_ids"),
        {checks.stored_name(name): variant for name, variant in asked.variants.items()},
    )


def encode_run(run_id: str, samples: int | None, how: Replay) -> bytes:
    """Return the first line of a run."""
    return line_of(_line(shape.RunLine(run_id=run_id, samples=samples, recorded=how.recorded)))


def encode_case(case: Case) -> bytes:
    """Return the line of a case."""
    sample = case.sample
    content = sample.content
    shown = shape.CaseLine(
        number=case.number,
        sample_type=sample.kind,
        sample_id=sample.id,
        function_name=None if content is None else content.function_name,
        variant_name=case.variant_name,
        inference_id=case.inference_id,
        output=case.output,
        stored_output=None if content is None else content.output,
        same_output=case.same_output,
        usage=_figures(case.figures),
        stored_usage=_figures(sample.figures),
        cached=case.cached,
        error=_fault(case.fault),
    )
    return line_of(_line(shown))


def encode_summary(run_id: str, summary: Summary) -> bytes:
    """Return the last line of a run."""
    shown = shape.SummaryLine(
        run_id=run_id,
        cases=summary.cases,
        failed=summary.failed,
        cached=summary.cached,
        total_cost=None if summary.total_cost is None else Decimal(summary.total_cost),
        failure=interval_of(summary.failure),
        same_output=interval_of(summary.same_output),
        input_tokens=_difference(summary.input_tokens),
        output_tokens=_difference(summary.output_tokens),
        cost=_difference(summary.cost),
        processing_time_ms=_difference(summary.processing_ms),
    )
    return line_of(_line(shown))


def encode_rendered(found: Iterable[Rendered]) -> bytes:
    """Return rendered samples, in their order."""
    return _line(shape.RenderedList([_rendered(each) for each in found]))


def _query(asked: ListBody, metrics: Mapping[str, Metric]) -> Query:
    try:
        # Else the newest inferences of a function would be those of the run before.
        return replace(to_listing(asked, metrics).query, replays=False)
    except InvalidRequest as error:
        raise InvalidRequest(f"query: {error.message}") from None


def _rendered(found: Rendered) -> shape.RenderedShown | shape.UnrenderedShown:
    sample, content = found.sample, found.sample.content
    if content is None or found.fault is not None:
        fault = found.fault or Fault("internal_error", "it has no content")
        return shape.UnrenderedShown(sample.kind, sample.id, shape.FaultShown(fault.code, fault.message))
    messages: list[Any] = [
        {"role": message.role, "content": [block_shown(block) for block in message.content]}
        for message in found.messages
    ]
    tools = content.tools
    return shape.RenderedShown(
        type=sample.kind,
        id=sample.id,
        function_name=content.function_name,
        variant_name=found.variant_name,
        input=shape.PromptShown(found.system, messages),
        stored_input=input_shown(content.input),
        stored_output=content.output,
        episode_id=sample.episode_id,
        tags=sample.tags,
        tools=[tool_shown(tool) for tool in found.tools],
        output_schema=content.output_schema,
        tool_choice=UNSET if tools.tool_choice is None else tools.tool_choice,
        parallel_tool_calls=UNSET if tools.parallel_tool_calls is None else tools.parallel_tool_calls,
    )


def _difference(found: Difference) -> shape.DifferenceShown:
    return shape.DifferenceShown(
        stored=interval_of(found.stored),
        replayed=interval_of(found.replayed),
        difference=interval_of(found.difference),
    )


def _figures(found: Figures) -> shape.FiguresShown:
    return shape.FiguresShown(
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        cost=None if found.cost is None else Decimal(found.cost),
        processing_time_ms=found.processing_ms,
    )


def _fault(fault: Fault | None) -> shape.FaultShown | None:
    return None if fault is None else shape.FaultShown(fault.code, fault.message)


def _ids(texts: Iterable[str], field: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_uuid(text, f"$.{field}[{at}]") for at, text in enumerate(texts)))


def _uuid(text: str, path: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise invalid(f"{text[:80]!r} is no UUID", path) from None
