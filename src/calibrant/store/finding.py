"""How a page is found whose filter wants feedback or a text, which may be everywhere or in one of a million. Pure.

First the inferences beside the beginning are gone through, so many at most; what is common is found among them, and a
small function ends there. For what is further off, the feedback is gone through instead, or the index of texts is
asked: there it is rare, or the page would be full. Values of an episode are not in the order of its inferences, so
theirs are listed where they are few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from calibrant.store.dialect import Dialect, Sql
from calibrant.store.sql_query import Driver, by_time, driver_of, edge_sql, find_sql, rows_sql
from calibrant.types.query import Query

__all__ = ["find_rows"]

_NEAR = 20_000
"""How many inferences are gone through first; with their feedback some 50 ms."""
_NEAR_TEXTS = 2_000
"""The same for a text, which is looked for in the payload: some 50 ms too."""
_FEW = 3_000
"""So many episodes are listed at most; for more, going through the inferences is no slower."""
_OFFSET = 1_000
"""A page further off is found by going through everything before it in any case."""

Rows = Sequence[tuple[Any, ...]]
Ask = Callable[[Sql], Rows]


def find_rows(query: Query, dialect: Dialect, columns: str, ask: Ask, *, walk: Ask | None = None) -> Rows:
    """Return the rows that answer a query.

    Args:
        query: What is asked.
        dialect: Of which engine.
        columns: As `find_sql` has them.
        ask: Returns the rows of a statement; all of them are asked within one moment.
        walk: The same, of a statement that goes through the inferences in their order and wants only their ids, whose
            rows are asked for then: where the engine would fetch each row that it looks at. Null is to fetch them.
    """
    by_text = query.text is not None
    driver = None if by_text else driver_of(query)
    if query.offset > _OFFSET or by_time(query) is None or not (by_text or driver is not None):
        return ask(find_sql(query, dialect, columns))

    def through(asked: Query, *span: Sql) -> Rows:
        if walk is None or by_text:
            return ask(find_sql(asked, dialect, columns, *span, indexed=False))
        ids = walk(find_sql(replace(asked, payloads=False), dialect, "inferences.id", *span))
        return ask(rows_sql(asked, dialect, columns, [str(row[0]) for row in ids])) if ids else ()

    edge = ask(edge_sql(query, dialect, _NEAR_TEXTS if by_text else _NEAR))
    if not edge:
        return through(query)
    ((at,),) = edge
    descending = by_time(query) == "DESC"
    near = Sql(f"inferences.id {'>=' if descending else '<='} ?", (at,))
    far = Sql(f"inferences.id {'<' if descending else '>'} ?", (at,))
    wanted = query.offset + query.limit
    found = through(replace(query, offset=0, limit=wanted), near)
    if len(found) < wanted:
        rest = replace(query, offset=0, limit=wanted - len(found))
        used = driver if driver is not None and (driver.ordered or _few(driver, dialect, ask)) else None
        if used is None and not by_text:
            further = through(rest, far)
        else:
            further = ask(find_sql(rest, dialect, columns, far, drive=used))
        found = [*found, *further]
    return found[query.offset :]


def _few(driver: Driver, dialect: Dialect, ask: Ask) -> bool:
    counted = ask(dialect.finished(Sql(driver.counted.text, (*driver.counted.parameters, _FEW + 1))))
    return int(counted[0][0]) <= _FEW
