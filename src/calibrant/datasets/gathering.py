"""From recorded inferences to datapoints that are wanted. Blocks; call it off the event loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import MsgspecError

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.engine.compiled import Compiler
from calibrant.store.base import Reader
from calibrant.types.content import OutputBlock
from calibrant.types.datapoint import NO_TOOLS, Content, JsonValue, NewDatapoint, Origin, ToolParams
from calibrant.types.message import Input
from calibrant.types.query import OutputSource
from calibrant.types.rows import InferenceRow
from calibrant.types.tool import Tool, ToolConfig

__all__ = ["gathered", "missing_of"]

_input = msgspec.json.Decoder(Input).decode
_blocks = msgspec.json.Decoder(tuple[OutputBlock, ...]).decode
_value = msgspec.json.Decoder(JsonValue).decode
_schema = msgspec.json.Decoder(dict[str, Any] | None).decode
_tools = msgspec.json.Decoder(ToolConfig).decode
_FAULTS = (MsgspecError, UnicodeDecodeError, RecursionError)


def missing_of(rows: Iterable[InferenceRow], ids: Iterable[str]) -> list[str]:
    """Return the ids that no row has."""
    found = {row.id for row in rows}
    return [each for each in ids if each not in found]


def gathered(
    reader: Reader, compiler: Compiler, rows: Iterable[InferenceRow], source: OutputSource, *, strict: bool
) -> Iterator[NewDatapoint]:
    """Yield a datapoint for each inference.

    Args:
        reader: The record, which has the demonstrations.
        compiler: What functions there are, whose tools need not be repeated.
        rows: The inferences with their payloads.
        source: Which output is the one wanted.
        strict: Whether an inference that makes no datapoint is an error; else it is left out.

    Raises:
        NotFound: there is no demonstration where one is wanted.
        InvalidRequest: what is needed of an inference was not recorded, or is no longer kept.
    """
    for row in rows:
        try:
            yield _gathered(reader, compiler, row, source)
        except (InvalidRequest, NotFound):
            if strict:
                raise


def _gathered(reader: Reader, compiler: Compiler, row: InferenceRow, source: OutputSource) -> NewDatapoint:
    if row.input is None:
        raise InvalidRequest(f"inference {row.id}: its input was not recorded, or is no longer kept")
    output, origin = _output(reader, row, source)
    kind = "json" if row.function_type == "json" else "chat"
    try:
        content = Content(
            kind,
            row.function_name,
            _input(row.input),
            _read_output(kind, output),
            _tool_params(compiler, row) if kind == "chat" else NO_TOOLS,
            None if row.output_schema is None or kind == "chat" else _schema(row.output_schema),
        )
    except _FAULTS as error:
        raise InvalidRequest(f"inference {row.id}: what was recorded of it cannot be read: {error}") from None
    return NewDatapoint(content, None, row.episode_id, row.tags, origin)


def _output(reader: Reader, row: InferenceRow, source: OutputSource) -> tuple[bytes | None, Origin]:
    if source == "demonstration":
        shown = [
            each
            for each in reader.feedback_for(row.id)
            if each.kind == "demonstration" and each.linked and each.document is not None
        ]
        if not shown:
            raise NotFound(f"inference {row.id} has no demonstration; choose another `output_source`")
        return shown[-1].document, Origin("feedback", row.id, shown[-1].id)
    if source == "none":
        return None, Origin("inference", row.id)
    if row.status != "ok" or row.output is None:
        raise InvalidRequest(
            f"inference {row.id}: it has no output ({row.status}), or none that is kept; choose another `output_source`"
        )
    return row.output, Origin("inference", row.id)


def _read_output(kind: str, output: bytes | None) -> tuple[OutputBlock, ...] | JsonValue | None:
    if output is None:
        return None
    return _value(output) if kind == "json" else _blocks(output)


def _tool_params(compiler: Compiler, row: InferenceRow) -> ToolParams:
    """Return what the inference had of tools that its function has not."""
    if row.tool_params is None:
        return NO_TOOLS
    used = _tools(row.tool_params)
    try:
        function = compiler.function(row.function_name).function
        static: Mapping[str, Tool] = {tool.name: tool for tool in function.tools.values()}
        choice, parallel = function.tool_choice, function.parallel_tool_calls
        keys = {tool.name: key for key, tool in function.tools.items()}
    except NotFound:
        static, choice, parallel, keys = {}, None, None, {}
    allowed = {tool.name for tool in used.tools} if used.allowed is None else set(used.allowed)
    mine = [keys[name] for name in static if name in allowed]
    return ToolParams(
        allowed_tools=None if len(mine) == len(static) else tuple(mine),
        tools=tuple(tool for tool in used.tools if tool.name not in static),
        custom_tools=used.custom,
        tool_choice=None if used.choice == choice else used.choice,
        parallel_tool_calls=None if used.parallel == parallel else used.parallel,
    )
