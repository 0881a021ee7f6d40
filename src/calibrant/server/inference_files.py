"""Handler of an export of recorded inferences: lines out as they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from calibrant.base.errors import InvalidRequest
from calibrant.datasets.inference_exporting import TUNING_FORMATS, ExportRequest, InferenceExporter, TuningFormat
from calibrant.server.dataset_files import HELD_BACK, held_back
from calibrant.server.http import HttpRequest, StreamAnswer
from calibrant.server.inferences import InferenceDesk, Questions
from calibrant.server.query import choice_in, number_in, read_query
from calibrant.server.visible import visible_functions
from calibrant.wire.inferences import decode_list

__all__ = ["NEXT", "InferenceFileDesk"]

NEXT: Final = "calibrant-export-next"
"""The header that says the `after` with which the next export goes on."""
_OURS: Final[Literal["inferences"]] = "inferences"
_FORMATS: Final[tuple[Literal["inferences"] | TuningFormat, ...]] = (_OURS, *TUNING_FORMATS)
_YES_NO: Final = ("false", "true")
_AT_ONCE: Final = 50
_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class InferenceFileDesk:
    """What the handler of this file works on."""

    desk: InferenceDesk

    async def export(self, http: HttpRequest) -> StreamAnswer:
        """`GET /v1/inferences/export`."""
        query = read_query(
            http,
            *("format", "function_name", "variant_name", "episode_id", "filters", "output_source", "include_failed"),
            *("model_inferences", "render_variant_name", "after"),
        )
        engine, questions = self.desk.engine, self.desk.opened()
        listing = decode_list(_as_list(query), engine.config.metrics)
        form: Literal["inferences"] | TuningFormat = choice_in(query, "format", _FORMATS, _OURS)
        asked = ExportRequest(
            which=replace(listing.query, functions=visible_functions(http)),
            form=next((each for each in TUNING_FORMATS if each == form), None),
            after=number_in(query, "after", 0, 2**63 - 1, smallest=0),
            calls=_flag(query, "model_inferences"),
            variant=query.get("render_variant_name"),
        )
        withheld = self.desk.withheld
        exporter = await questions.ask(lambda reader: InferenceExporter(reader, engine.compiler, asked, withheld))
        lines = exporter.lines()
        # What is wrong from the start is an answer with a status; what turns up later breaks the stream off.
        first = await _piece(questions, lines)
        pieces = _pieces(first, questions, lines)
        headers = ((NEXT, str(exporter.following)),)
        return StreamAnswer(
            pieces,
            content_type="application/jsonl",
            headers=headers,
            outlives_client=False,
            trailer=HELD_BACK,
            told=lambda: held_back(exporter.held),
        )


def _as_list(query: dict[str, str]) -> bytes:
    """Return the body with which a list of these inferences would be asked for."""
    names = ("function_name", "variant_name", "episode_id", "output_source")
    asked: dict[str, Any] = {name: query[name] for name in names if name in query}
    if "filters" in query:
        try:
            asked["filters"] = msgspec.json.decode(query["filters"])
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidRequest(f"query: filters is no JSON: {error}") from None
    return msgspec.json.encode(asked | {"include_failed": _flag(query, "include_failed")})


def _flag(query: dict[str, str], name: str) -> bool:
    return choice_in(query, name, _YES_NO, "false") == "true"


async def _piece(questions: Questions, lines: Iterator[bytes]) -> bytes:
    # In a thread of the record's for as long as it takes, and in none while the caller reads slowly.
    return await questions.ask(lambda _: b"".join(_some(lines)))


def _some(lines: Iterator[bytes]) -> Iterator[bytes]:
    held = 0
    for number, line in enumerate(lines, 1):
        yield line
        held += len(line)
        if number == _AT_ONCE or held > _BYTES:
            return


async def _pieces(first: bytes, questions: Questions, lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = await _piece(questions, lines)
