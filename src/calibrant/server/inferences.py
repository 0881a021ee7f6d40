"""Handlers of recorded inferences. A key with a list of functions is shown the inferences of these alone.

To an optimizer's key what a dataset holds back is not there: a page of a list is then shorter than was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from msgspec.structs import replace

from calibrant.base.errors import InvalidRequest
from calibrant.datasets.withheld import Withheld
from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.visible import learnable
from calibrant.store.base import Reader
from calibrant.types.key import Grants
from calibrant.types.query import OutputSource, Query
from calibrant.types.rows import InferenceRow
from calibrant.wire.inferences import Lookup, decode_get, decode_list
from calibrant.wire.stored import encode_stored

__all__ = ["BEHIND", "InferenceDesk", "Questions", "recorded"]

BEHIND = "calibrant-search-behind"
"""The header that says how many inferences, at most, a search for text did not look at."""

T = TypeVar("T")
_Demonstrated = dict[str, bytes]
_See = Callable[[Sequence[InferenceRow]], Sequence[InferenceRow]]


class Questions(Protocol):
    """Where handlers ask the record."""

    async def ask(self, question: Callable[[Reader], T]) -> T:
        """Return what a question comes to, asked in a thread.

        Raises:
            StoreUnavailable: the record cannot be asked now.
        """
        ...


@dataclass(frozen=True, slots=True)
class InferenceDesk:
    """What the handlers of this file work on."""

    engine: Engine
    questions: Questions | None
    """Null where the configuration turns the record off."""
    withheld: Withheld | None = None
    """Tells what is held back; null where there are no datasets."""

    async def list(self, http: HttpRequest) -> Answer:
        """`POST /v1/inferences/list_inferences`."""
        listing = decode_list(http.body, self.engine.config.metrics)
        query = replace(listing.query, functions=None if (grants := _grants(http)) is None else grants.functions)
        see = partial(learnable, http, self.withheld)
        rows, demonstrated, behind = await self.opened().ask(lambda reader: _listed(reader, query, see))
        shown = rows[::-1] if listing.backwards else rows
        headers = ((BEHIND, str(behind)),) if behind else ()
        return Answer(200, self._encode(shown, query.source, demonstrated), headers=headers)

    async def get(self, http: HttpRequest) -> Answer:
        """`POST /v1/inferences/get_inferences`."""
        lookup = decode_get(http.body)
        grants, see = _grants(http), partial(learnable, http, self.withheld)
        rows, demonstrated = await self.opened().ask(lambda reader: _got(reader, lookup, grants, see))
        return Answer(200, self._encode(rows, lookup.source, demonstrated))

    def _encode(self, rows: Sequence[InferenceRow], source: OutputSource, demonstrated: _Demonstrated) -> bytes:
        return encode_stored(rows, source=source, demonstrated=demonstrated, configured=self._tools)

    def _tools(self, function_name: str) -> Collection[str]:
        function = self.engine.config.functions.get(function_name)
        return () if function is None else {tool.name for tool in function.tools.values()}

    def opened(self) -> Questions:
        """Return where to ask.

        Raises:
            InvalidRequest: there is no record.
        """
        return recorded(self.questions)


def recorded(questions: Questions | None) -> Questions:
    """Return where to ask.

    Raises:
        InvalidRequest: there is no record.
    """
    if questions is None:
        raise InvalidRequest("there is no record to ask: the configuration turns it off (observability.enabled)")
    return questions


def _grants(http: HttpRequest) -> Grants | None:
    return None if http.principal is None else http.principal.grants


def _listed(reader: Reader, query: Query, see: _See) -> tuple[Sequence[InferenceRow], _Demonstrated, int]:
    behind = 0 if query.text is None else reader.search_behind()
    rows = see(reader.find(query))
    return rows, _demonstrated(reader, query.source, rows), behind


def _got(
    reader: Reader, lookup: Lookup, grants: Grants | None, see: _See
) -> tuple[Sequence[InferenceRow], _Demonstrated]:
    found = [
        row
        for row in reader.get(lookup.ids)
        if (lookup.include_failed or row.status == "ok")
        and lookup.function_name in (None, row.function_name)
        and (grants is None or grants.function(row.function_name))
    ]
    rows = see(found)
    return rows, _demonstrated(reader, lookup.source, rows)


def _demonstrated(reader: Reader, source: OutputSource, rows: Sequence[InferenceRow]) -> _Demonstrated:
    return reader.demonstrated([row.id for row in rows]) if source == "demonstration" else {}
