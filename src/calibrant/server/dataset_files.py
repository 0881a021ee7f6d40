"""Handlers of whole datasets as files: lines out as they are read, lines in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, get_args

import msgspec

from calibrant.base.errors import InvalidRequest
from calibrant.datasets.exporting import Exporter
from calibrant.datasets.formats import FORMATS
from calibrant.datasets.importing import ImportFormat, imported, read_lines
from calibrant.datasets.reader import TRAINABLE
from calibrant.server.datasets import DatasetDesk, actor_of, function_in, name_of
from calibrant.server.http import Answer, HttpRequest, StreamAnswer
from calibrant.server.query import number_in, read_query
from calibrant.types.datapoint import DatapointQuery
from calibrant.types.split import SPLITS, Split

__all__ = ["HELD_BACK", "FileDesk", "held_back"]

HELD_BACK = "calibrant-export-held-back"
"""The header, or trailer, that says how much of which split an export leaves out."""
_OURS = "datapoints"
_AT_ONCE = 100
_LINES = "application/jsonl"

T = TypeVar("T", bound=str)


@dataclass(frozen=True, slots=True)
class FileDesk:
    """What the handlers of this file work on."""

    desk: DatasetDesk

    async def export(self, http: HttpRequest) -> StreamAnswer:
        """`GET /v1/datasets/{dataset_name}/export`."""
        query = read_query(http, "format", "version", "function_name", "variant_name", "split")
        form = _one_of(query.get("format", _OURS), (_OURS, *FORMATS))
        which = DatapointQuery(
            dataset_name=name_of(http),
            function_name=function_in(query),
            version=number_in(query, "version", None, 2**53, smallest=0),
        )
        exporter = Exporter(
            self.desk.reader(http, _splits(query)),
            next((each for each in FORMATS if each == form), None),
            compiler=self.desk.engine.compiler,
            variant=query.get("variant_name"),
            record=self.desk.record,
        )
        lines = exporter.lines(which)
        held = await asyncio.to_thread(exporter.held, which)
        headers = ((HELD_BACK, held_back(held)),)
        # What is wrong from the start is an answer with a status; what turns up later breaks the stream off.
        first = await _piece(lines)
        return StreamAnswer(
            _pieces(first, lines), content_type=_LINES, headers=headers if held else (), outlives_client=False
        )

    async def take(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/import`: checked as a whole before the first line is added."""
        query = read_query(http, "format", "function_name")
        form: ImportFormat = _one_of(query.get("format", _OURS), get_args(ImportFormat))
        desk, actor, name = self.desk, actor_of(self.desk, http), name_of(http)

        def act() -> bytes:
            lines = http.body.splitlines()
            compiler, function_name = desk.engine.compiler, function_in(query)
            now_ms = actor.now_ms
            wanted = [*read_lines(lines, form, compiler, function_name=function_name, now_ms=now_ms)]
            done = max(imported(desk.opened(), name, wanted, actor), default=0)
            return msgspec.json.encode({"num_imported_datapoints": done})

        return Answer(200, await asyncio.to_thread(act))


def _splits(query: dict[str, str]) -> tuple[Split, ...]:
    """Return the splits that are written: `train`, or those that are named, with commas between them."""
    if "split" not in query:
        return TRAINABLE
    known: dict[str, Split] = {each: each for each in SPLITS}
    return tuple(known[_one_of(each, tuple(known), "split")] for each in query["split"].split(","))


def _one_of(text: str, known: tuple[T, ...], name: str = "format") -> T:
    for each in known:
        if each == text:
            return each
    raise InvalidRequest(f"query: {name} is {text[:40]!r}; there are {', '.join(known)}")


def held_back(numbers: Mapping[Split, int]) -> str:
    """Return how many of which split are held back, as `HELD_BACK` says it; empty where none are."""
    return ", ".join(f"{split}={number}" for split, number in sorted(numbers.items()))


async def _piece(lines: Iterator[bytes]) -> bytes:
    return await asyncio.to_thread(lambda: b"".join(islice(lines, _AT_ONCE)))


async def _pieces(first: bytes, lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = await _piece(lines)
