"""Recorded inferences, line by line, in order of arrival: ours, and the formats of tuning.

What is exported may be learnt from, so what a dataset holds back is left out. Blocks. Between two lines no transaction
is open, and no more is held than a few rows and the ids of those next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Literal, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.datasets.formats import Rendered, to_line
from calibrant.datasets.prompting import call_of, prompt_of
from calibrant.datasets.withheld import Withheld, recorded
from calibrant.engine.compiled import CompiledVariant, Compiler
from calibrant.store.base import Reader
from calibrant.types.content import OutputBlock
from calibrant.types.datapoint import Content, Datapoint, JsonValue, Origin, ToolParams
from calibrant.types.key import DEFAULT_FUNCTION
from calibrant.types.message import Input
from calibrant.types.query import OutputSource, Query
from calibrant.types.rows import FeedbackRow, InferenceRow, ModelInferenceRow
from calibrant.types.split import Split
from calibrant.types.tool import CustomTool, Tool, ToolConfig
from calibrant.wire.exported import encode_exported
from calibrant.wire.jsonl import line_of

__all__ = ["TUNING_FORMATS", "ExportRequest", "InferenceExporter", "TuningFormat"]

TuningFormat = Literal["chat", "preference"]
"""OpenAI's for supervised tuning, and for preference tuning: the demonstration against the model's output."""
TUNING_FORMATS: Final[tuple[TuningFormat, ...]] = get_args(TuningFormat)

_IDS = 2000
_ROWS = 50
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_input = msgspec.json.Decoder(Input).decode
_blocks = msgspec.json.Decoder(tuple[OutputBlock, ...]).decode
_value = msgspec.json.Decoder(JsonValue).decode
_tools = msgspec.json.Decoder(ToolConfig).decode


class ExportRequest(Struct, frozen=True, kw_only=True):
    """What to write, and how."""

    which: Query
    """Its order, limit and cursors mean nothing here."""
    form: TuningFormat | None = None
    """Null for our own."""
    after: int = 0
    """Only what arrived behind this number."""
    calls: bool = False
    """With the calls of models; of our own format."""
    variant: str | None = None
    """Whose templates render the inputs; null is the variant that served."""


class _Said(Struct, frozen=True):
    """What a few inferences have beside their rows."""

    demonstrated: Mapping[str, bytes]
    feedback: Mapping[str, list[FeedbackRow]]
    calls: Mapping[str, list[ModelInferenceRow]] | None


class InferenceExporter:
    """Writes the lines of one export, and counts."""

    def __init__(
        self, record: Reader, compiler: Compiler | None, asked: ExportRequest, withheld: Withheld | None = None
    ) -> None:
        """Settle where the export ends: with what the record has now.

        Args:
            record: The inferences; asked from whichever thread takes the lines.
            compiler: Has the functions, for templates and for the names of their tools; null knows none.
            asked: What to write.
            withheld: Tells what is held back; null where there are no datasets.

        Raises:
            NotFound: the one function that is asked for has no such variant.
            InvalidRequest: the variant has no one prompt.
        """
        if asked.form is not None and asked.variant is not None and asked.which.function_name is not None:
            call_of(compiler, asked.which.function_name, asked.variant)
        # Without a demonstration there is no pair.
        self._source: OutputSource = "demonstration" if asked.form == "preference" else asked.which.source
        self._which = replace(asked.which, source=self._source)
        self._record = record
        self._compiler = compiler
        self._asked = asked
        self._withheld = withheld
        self._end = record.latest()
        self.written = 0
        """Lines so far."""
        self.left_out = 0
        """Inferences so far that have no place in the format, cannot be rendered, or of which too little is kept."""
        self.why = ""
        """Of the first of them that was left out."""
        self.held: dict[Split, int] = {}
        """Inferences so far that are held back, by the strictest split that has them."""

    @property
    def following(self) -> int:
        """The `after` of an export that goes on where this one ends; a line of this one may come again there."""
        return max(min(self._end.settled, self._end.seq), self._asked.after)

    def lines(self) -> Iterator[bytes]:
        """Yield a line, with its end, for each inference.

        Raises:
            StoreUnavailable: the record, or the catalogue, cannot be asked now.
        """
        for row, said in self._rows():
            try:
                line = self._line(row, said)
            except (InvalidRequest, NotFound) as error:
                self.left_out += 1
                self.why = self.why or error.message
                continue
            self.written += 1
            yield line_of(line)

    def _rows(self) -> Iterator[tuple[InferenceRow, _Said]]:
        after = self._asked.after
        while page := self._record.arrived(self._which, after=after, until=self._end.seq, limit=_IDS):
            ids = [each.inference_id for each in page]
            for start in range(0, len(ids), _ROWS):
                rows = self._given(self._record.get(ids[start : start + _ROWS]))
                said = self._said(rows)
                for row in rows:
                    yield row, said
            after = page[-1].seq

    def _given(self, rows: Sequence[InferenceRow]) -> Sequence[InferenceRow]:
        """Return those that are not held back, and count the others."""
        if self._withheld is None:
            return rows
        held = self._withheld.of([recorded(row) for row in rows])
        for split in held.values():
            self.held[split] = self.held.get(split, 0) + 1
        return [row for row in rows if row.id not in held]

    def _said(self, rows: Collection[InferenceRow]) -> _Said:
        ids = [row.id for row in rows]
        demonstrated = self._record.demonstrated(ids) if self._source == "demonstration" else {}
        feedback: dict[str, list[FeedbackRow]] = {}
        calls: dict[str, list[ModelInferenceRow]] = {}
        if self._asked.form is None:
            for each in self._record.feedback_on([*dict.fromkeys([*ids, *(row.episode_id for row in rows)])]):
                feedback.setdefault(each.target_id, []).append(each)
            for call in self._record.calls_for(ids) if self._asked.calls else ():
                calls.setdefault(call.inference_id, []).append(call)
        return _Said(demonstrated, feedback, calls if self._asked.calls else None)

    def _line(self, row: InferenceRow, said: _Said) -> bytes:
        demonstration = said.demonstrated.get(row.id)
        if self._source == "demonstration" and demonstration is None:
            # It was erased a moment ago.
            raise NotFound(f"inference {row.id} has no demonstration")
        form = self._asked.form
        if form is None:
            of_episode = said.feedback.get(row.episode_id, ()) if row.episode_id != row.id else ()
            return encode_exported(
                row,
                source=self._source,
                demonstration=demonstration,
                configured=self._tool_names,
                feedback=sorted((*said.feedback.get(row.id, ()), *of_episode), key=lambda each: each.id),
                calls=None if said.calls is None else said.calls.get(row.id, ()),
            )
        try:
            line = to_line(self._rendered(row, demonstration), form, called="inference")
        except _FAULTS as error:
            # A redaction hook may have left anything.
            raise InvalidRequest(f"inference {row.id}: what was recorded of it cannot be read: {error}") from None
        if line is None:
            raise InvalidRequest(f"inference {row.id}: {form} has no place for it: {_MISSING[form]}")
        return line

    def _tool_names(self, function_name: str) -> Collection[str]:
        if self._compiler is None:
            return ()
        try:
            return {tool.name for tool in self._compiler.function(function_name).function.tools.values()}
        except NotFound:
            return ()

    def _rendered(self, row: InferenceRow, demonstration: bytes | None) -> Rendered:
        if row.input is None:
            raise InvalidRequest(f"inference {row.id}: its input was not recorded, or is no longer kept")
        given = _input(row.input)
        try:
            system, messages = prompt_of(given, self._call(row))
        except InvalidRequest as error:
            raise InvalidRequest(f"inference {row.id}: {error.message}") from None
        used = None if row.tool_params is None or row.function_type == "json" else _tools(row.tool_params)
        kind = "json" if row.function_type == "json" else "chat"
        made = row.output if row.status == "ok" else None
        output = {"demonstration": demonstration, "inference": made, "none": None}[self._source]
        content = Content(
            kind,
            row.function_name,
            given,
            _output(kind, output),
            ToolParams(parallel_tool_calls=None if used is None else used.parallel),
        )
        point = Datapoint(
            id=row.id,
            dataset_name="",
            since=0,
            episode_id=row.episode_id,
            tags=row.tags,
            group_key=row.episode_id,
            content_hash="",
            content=content,
            origin=Origin("inference", row.id),
            updated_at=0,
        )
        return Rendered(point, system, messages, _told(used), _output(kind, made))

    def _call(self, row: InferenceRow) -> CompiledVariant | None:
        """Return the variant that renders an inference's input; null where its function has no templates."""
        if row.function_name == DEFAULT_FUNCTION:
            return None
        return call_of(self._compiler, row.function_name, self._asked.variant or row.variant_name)


_MISSING: Final[dict[TuningFormat, str]] = {
    "chat": "it has no output, or none that is kept",
    "preference": "there are no two outputs that differ",
}


def _output(kind: str, output: bytes | None) -> tuple[OutputBlock, ...] | JsonValue | None:
    if output is None:
        return None
    return _value(output) if kind == "json" else _blocks(output)


def _told(used: ToolConfig | None) -> tuple[Tool | CustomTool, ...]:
    """Return the tools that the model could call."""
    if used is None:
        return ()
    told = (*used.tools, *used.custom)
    return told if used.allowed is None else tuple(tool for tool in told if tool.name in used.allowed)
