"""Feedback: checked against its metric and its target, then recorded.

A target that is not in the store may still be on its way there. The watermark decides: what is newer is
accepted and linked by the recorder; what is older is looked up once more when everything accepted before
this request has been stored, and only then refused.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec

from calibrant.base.errors import InvalidRequest, NotFound, StoreUnavailable
from calibrant.base.ids import EVALUATED_FROM, id_millis, uuid7
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.record import redacted
from calibrant.engine.tools import ToolSchemas
from calibrant.render.schema import Schema
from calibrant.store.base import TargetView
from calibrant.store.linking import Refusal
from calibrant.types.content import Text, ToolCall
from calibrant.types.request import Feedback
from calibrant.types.rows import FeedbackKind, FeedbackRecord, FeedbackRow, Level
from calibrant.types.tool import ToolConfig

__all__ = ["give_feedback", "link"]

_encode = msgspec.json.Encoder().encode
_POLL_S = 0.05
_PATIENCE_S = 1.0
"""How long an old unknown id waits for the recorder to catch up before it is accepted unlinked."""


async def give_feedback(engine: Engine, feedback: Feedback, caller: Caller) -> str:
    """Record the feedback and return its id.

    Raises:
        NotFound: the metric is unknown.
        InvalidRequest: the value or the level does not fit the metric, or there is no such target.
        SpoolFull: there is no room to record it.
    """
    row = _row(engine, feedback, caller)
    if engine.spool is None or engine.targets is None:
        raise InvalidRequest("feedback needs the record, which the configuration turns off (observability.enabled)")
    if engine.config.gateway.disable_feedback_target_validation and row.kind != "demonstration":
        row = msgspec.structs.replace(row, linked=True)
    elif row.target_id >= EVALUATED_FROM:
        row = await _of_evaluation(engine, row)
    else:
        row = _linked(row, await _target(engine, row))
    if feedback.dryrun:
        return row.id
    if engine.redact is not None:
        row = msgspec.structs.replace(row, document=redacted(engine, row.document, row.kind))
    engine.reserve()
    await engine.spool.append(FeedbackRecord(row))
    engine.metrics.count("feedback", (row.metric_name,))
    return row.id


def link(row: FeedbackRow, target: TargetView | None) -> FeedbackRow | Refusal:
    """Return feedback joined to its target, or why it cannot be: what the recorder does for late targets."""
    if target is None:
        return Refusal(f"there is no {row.level} {row.target_id}")
    if row.kind != "demonstration":
        return msgspec.structs.replace(row, linked=True)
    try:
        document = _demonstration(msgspec.json.decode(row.document or b"null"), target)
    except InvalidRequest as error:
        return Refusal(error.message)
    except msgspec.DecodeError as error:
        return Refusal(f"the demonstration is no JSON, as the redaction hook left it: {error}")
    return msgspec.structs.replace(row, document=document, linked=True)


def _row(engine: Engine, feedback: Feedback, caller: Caller) -> FeedbackRow:
    kind, level, number, document = _value(engine, feedback)
    target_id = feedback.inference_id if level == "inference" else feedback.episode_id
    if target_id is None:
        raise InvalidRequest(
            f"Correct ID was not provided for feedback level {level!r}: send `{level}_id` for {feedback.metric_name!r}"
        )
    return FeedbackRow(
        id=uuid7(),
        metric_name=feedback.metric_name,
        kind=kind,
        level=level,
        target_id=target_id,
        snapshot_hash=engine.config.hash,
        number=number,
        document=document,
        tags=feedback.tags,
        key_id=caller.key_id,
        linked=False,
    )


def _value(engine: Engine, feedback: Feedback) -> tuple[FeedbackKind, Level, float | None, bytes | None]:
    name, value = feedback.metric_name, feedback.value
    if name == "comment":
        if not isinstance(value, str):
            raise InvalidRequest(f"value: a comment is a string, not {_kind_of(value)}")
        return "comment", "inference" if feedback.inference_id is not None else "episode", None, _encode(value)
    if name == "demonstration":
        return "demonstration", "inference", None, _encode(value)
    metric = engine.config.metrics.get(name)
    if metric is None:
        known = ", ".join(sorted(engine.config.metrics)) or "none"
        raise NotFound(f"Unknown metric: {name!r}; the configuration has {known}, besides comment and demonstration")
    if metric.type == "boolean":
        if not isinstance(value, bool):
            raise InvalidRequest(f"value: the metric {name!r} is boolean, but {_kind_of(value)} was sent")
        return "boolean", metric.level, float(value), None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidRequest(f"value: the metric {name!r} is float, but {_kind_of(value)} was sent")
    try:
        return "float", metric.level, float(value), None
    except OverflowError:
        raise InvalidRequest(f"value: the metric {name!r} is float, and the number sent is too large for one") from None


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"


async def _target(engine: Engine, row: FeedbackRow) -> TargetView | None:
    """Return the target, or null where the recorder has to find it."""
    targets = engine.targets
    if targets is None:
        return None
    arrived = engine.clock.wall_ms()
    try:
        found = await targets.find(row.target_id, row.level)
        if found is not None:
            return found
        patience = engine.clock.monotonic() + _PATIENCE_S
        while id_millis(row.target_id) < targets.watermark_ms():
            # Old enough to be there, but a long inference is recorded long after its id was made: once all
            # that was accepted before this request is stored, not finding it is final.
            if targets.watermark_ms() >= arrived:
                found = await targets.find(row.target_id, row.level)
                # A young one may wait in the spool of another host, of which this one knows nothing.
                if found is None and id_millis(row.target_id) <= arrived - targets.others_lag_ms:
                    raise InvalidRequest(f"there is no {row.level} {row.target_id} that this feedback could refer to")
                return found
            if engine.clock.monotonic() >= patience:
                return None
            await asyncio.sleep(_POLL_S)
    except StoreUnavailable:
        return None
    return None


async def _of_evaluation(engine: Engine, row: FeedbackRow) -> FeedbackRow:
    """Return feedback on an episode of a workflow evaluation, which the catalogue knows before it has any inference.

    So an episode that failed before its first inference can be judged too: without it the others look too good.
    """
    if engine.workflows is None:
        raise InvalidRequest("this gateway was put together without a catalogue, so it has no workflow evaluations")
    try:
        pinned = await engine.workflows.pinned(row.target_id)
    except StoreUnavailable:
        # The recorder finds the episode by its inferences.
        return row
    if pinned is None:
        raise InvalidRequest(f"there is no episode {row.target_id} of a workflow evaluation")
    return msgspec.structs.replace(row, linked=True)


def _linked(row: FeedbackRow, target: TargetView | None) -> FeedbackRow:
    if target is None:
        return row
    linked = link(row, target)
    if isinstance(linked, Refusal):
        raise InvalidRequest(linked.reason)
    return linked


def _demonstration(value: Any, target: TargetView) -> bytes:
    """Return a demonstration as an output of the target's function is stored.

    Raises:
        InvalidRequest: the target could not have answered so.
    """
    if target.function_type == "json":
        schema = _output_schema(target)
        raw = _encode(value).decode()
        if schema is not None and (fault := schema.fault(value)) is not None:
            raise InvalidRequest(f"value: the demonstration breaks the inference's output schema at {fault}")
        return _encode({"raw": raw, "parsed": value})
    if isinstance(value, str):
        return _encode([Text(value)])
    if not isinstance(value, list) or not value:
        raise InvalidRequest("value: the demonstration of a chat function is a string or a list of content blocks")
    schemas = _tool_schemas(target)
    blocks = cast("list[object]", value)
    return _encode([_demonstrated(block, i, schemas) for i, block in enumerate(blocks)])


def _output_schema(target: TargetView) -> Schema | None:
    # What a redaction hook made unreadable is as good as not kept; this runs in the recorder too, which must go on.
    try:
        return Schema(msgspec.json.decode(target.output_schema)) if target.output_schema else None
    except (msgspec.MsgspecError, ValueError):
        return None


def _tool_schemas(target: TargetView) -> ToolSchemas:
    """Return what calls of the tools that the inference could call must be; null for those called with text."""
    try:
        config = msgspec.json.decode(target.tool_params, type=ToolConfig) if target.tool_params else ToolConfig()
        schemas: ToolSchemas = {tool.name: Schema(tool.parameters) for tool in config.tools}
        schemas |= dict.fromkeys((tool.name for tool in config.custom), None)
        return (
            schemas if config.allowed is None else {name: schemas[name] for name in config.allowed if name in schemas}
        )
    except (msgspec.MsgspecError, ValueError):
        return {}


class _DemonstratedText(msgspec.Struct, frozen=True, tag="text"):
    text: str


class _DemonstratedCall(msgspec.Struct, frozen=True, tag="tool_call"):
    name: str
    arguments: dict[str, Any] | str
    """Text for a tool that is called with text."""
    id: str = ""


_Demonstrated = _DemonstratedText | _DemonstratedCall


def _demonstrated(block: object, index: int, schemas: ToolSchemas) -> Text | ToolCall:
    where = f"value[{index}]"
    try:
        given = msgspec.convert(block, _Demonstrated)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f'{where}: expected {{"type": "text", "text": ...}} or '
            f'{{"type": "tool_call", "id": ..., "name": ..., "arguments": {{...}}}}: {error}'
        ) from None
    if isinstance(given, _DemonstratedText):
        return Text(given.text)
    if given.name not in schemas:
        raise InvalidRequest(f"{where}.name: the inference had no tool {given.name!r}; it had {sorted(schemas)}")
    schema = schemas[given.name]
    if isinstance(given.arguments, str) != (schema is None):
        wanted = "text, as the tool is called with" if schema is None else "an object"
        raise InvalidRequest(f"{where}.arguments: expected {wanted}")
    if schema is None or isinstance(given.arguments, str):
        return ToolCall(id=given.id, raw_name=given.name, raw_arguments=str(given.arguments), name=given.name)
    fault = schema.fault(given.arguments)
    if fault is not None:
        raise InvalidRequest(f"{where}.arguments break the tool's schema at {fault}")
    raw = _encode(given.arguments).decode()
    return ToolCall(id=given.id, raw_name=given.name, raw_arguments=raw, name=given.name, arguments=given.arguments)
