"""A version of a dataset, line by line: ours, and the formats of others. Blocks; holds one page in memory.

Which splits are written its reader says; how many datapoints of others were left out is counted.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from calibrant.base.errors import InvalidRequest
from calibrant.datasets.formats import Format, Rendered, to_line
from calibrant.datasets.prompting import call_of, prompt_of, tools_of
from calibrant.datasets.reader import DatasetReader
from calibrant.engine.compiled import Compiler
from calibrant.store.base import Reader
from calibrant.types.content import OutputBlock
from calibrant.types.datapoint import Datapoint, DatapointQuery, JsonValue
from calibrant.types.split import Split
from calibrant.wire.datapoint_answer import encode_datapoint
from calibrant.wire.jsonl import line_of

__all__ = ["Exporter"]

_blocks = msgspec.json.Decoder(tuple[OutputBlock, ...]).decode
_value = msgspec.json.Decoder(JsonValue).decode


class Exporter:
    """Writes lines of one export, and counts."""

    def __init__(
        self,
        reader: DatasetReader,
        form: Format | None,
        *,
        compiler: Compiler | None = None,
        variant: str | None = None,
        record: Reader | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            reader: Of the datapoints.
            form: Null for our own.
            compiler: Has the functions, for their tools and for templates; other formats than ours need it.
            variant: Whose templates render the inputs; null leaves no way to write template arguments.
            record: Has the outputs that demonstrations took the place of; null finds no pair there.
        """
        self._reader = reader
        self._form: Format | None = form
        self._compiler = compiler
        self._variant = variant
        self._record = record
        self.written = 0
        """Lines so far."""
        self.left_out = 0
        """Datapoints that the format has no place for, and those that were erased, so far."""

    def held(self, which: DatapointQuery) -> dict[Split, int]:
        """Return how many datapoints are left out of a version, as it is now, since they are of other splits."""
        return self._reader.left_out(which)

    def lines(self, which: DatapointQuery) -> Iterator[bytes]:
        """Yield a line, with its end, for each datapoint of a version, by id.

        Raises:
            NotFound: there is no such dataset, version or variant.
            InvalidRequest: a datapoint cannot be written in this format, or its templates need a variant.
        """
        form = self._form
        for row in self._reader.stream(which):
            if row.origin.source == "erased":
                self.left_out += 1
                continue
            line = encode_datapoint(row) if form is None else to_line(self._rendered(row), form)
            if line is None:
                self.left_out += 1
            else:
                self.written += 1
                yield line_of(line)

    def _rendered(self, row: Datapoint) -> Rendered:
        content = row.content
        call = None if self._variant is None else call_of(self._compiler, content.function_name, self._variant)
        try:
            system, messages = prompt_of(content.input, call)
        except InvalidRequest as error:
            raise InvalidRequest(f"datapoint {row.id}: {error.message}") from None
        rejected = self._rejected(row) if self._form == "preference" else None
        try:
            tools = tools_of(self._compiler, content)
        except InvalidRequest as error:
            # The configuration may have changed since.
            raise InvalidRequest(f"datapoint {row.id}: {error.message}") from None
        return Rendered(row, system, messages, tools, rejected)

    def _rejected(self, row: Datapoint) -> tuple[OutputBlock, ...] | JsonValue | None:
        """Return the output that the present one took the place of: the model's, or that of the first of the chain."""
        origin = row.origin
        if origin.source == "feedback" and origin.inference_id is not None and self._record is not None:
            found = self._record.get((origin.inference_id,))
            if not found or found[0].output is None:
                return None
            try:
                return _value(found[0].output) if row.content.type == "json" else _blocks(found[0].output)
            except msgspec.MsgspecError:
                # A redaction hook may have left anything.
                return None
        for first in () if origin.root_id is None else self._reader.get((origin.root_id,)):
            if first.content.input == row.content.input:
                return first.content.output
        return None
