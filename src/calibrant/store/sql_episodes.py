"""Episodes out of their inferences, as SQL. Pure.

Episodes come in the order in which they began. The ids of those that belong to workflow evaluations are ahead of their
time, so there are two ranges of ids, each read in its own order and merged by what the ids would be otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from calibrant.base.ids import EVALUATED_FROM, ahead, in_time
from calibrant.store.dialect import Dialect, Sql, joined
from calibrant.store.sql_query import conditions
from calibrant.types.insight import EpisodeBounds, EpisodeSeen
from calibrant.types.query import Query

__all__ = ["bounds_sql", "episodes_sql", "merged", "to_bounds"]


def episodes_sql(where: Query, dialect: Dialect) -> tuple[Sql, Sql]:
    """Return the statements for a page of episodes: of ordinary ones, and of those of workflow evaluations.

    Args:
        where: Which inferences count; `before` and `after` are episodes, and `limit` is of episodes.
        dialect: Of which engine.
    """
    ordinary = Sql("inferences.episode_id < ?", (EVALUATED_FROM,))
    evaluated = Sql("inferences.episode_id >= ?", (EVALUATED_FROM,))
    return _page(where, dialect, ordinary, evaluated=False), _page(where, dialect, evaluated, evaluated=True)


def merged(where: Query, pages: Iterable[Iterable[Sequence[Any]]]) -> tuple[EpisodeSeen, ...]:
    """Return one page out of the two, the newest first."""
    found = [EpisodeSeen(row[0], int(row[1]), row[2], row[3]) for page in pages for row in page]
    backwards = where.after is None
    found.sort(key=lambda each: in_time(each.episode_id), reverse=backwards)
    page = found[: where.limit]
    return tuple(page if backwards else page[::-1])


def bounds_sql(where: Query, dialect: Dialect) -> Sql:
    """Return the statement for the first and the last episode of either range, and for how many there are."""
    wanted = joined(" AND ", conditions(_inferences(where), dialect))
    text = (
        "SELECT inferences.episode_id >= ? AS evaluated, min(inferences.episode_id), max(inferences.episode_id), "  # noqa: S608
        f"count(DISTINCT inferences.episode_id) FROM inferences WHERE {wanted.text} GROUP BY evaluated"
    )
    return dialect.finished(Sql(text, (EVALUATED_FROM, *wanted.parameters)))


def to_bounds(rows: Iterable[Sequence[Any]]) -> EpisodeBounds:
    """Return the bounds that the answer tells of."""
    held = list(rows)
    first = min((row[1] for row in held), key=in_time, default=None)
    last = max((row[2] for row in held), key=in_time, default=None)
    return EpisodeBounds(first, last, sum(int(row[3]) for row in held))


def _page(where: Query, dialect: Dialect, span: Sql, *, evaluated: bool) -> Sql:
    wanted = [*conditions(_inferences(where), dialect), span]
    for text, cursor in (("inferences.episode_id < ?", where.before), ("inferences.episode_id > ?", where.after)):
        if cursor is not None:
            plain = in_time(cursor)
            wanted.append(Sql(text, (ahead(plain) if evaluated else plain,)))
    condition = joined(" AND ", wanted)
    order = "DESC" if where.after is None else "ASC"
    text = (
        "SELECT inferences.episode_id, count(*), min(inferences.id), max(inferences.id) FROM inferences "  # noqa: S608
        f"WHERE {condition.text} GROUP BY inferences.episode_id ORDER BY inferences.episode_id {order} LIMIT ?"
    )
    return dialect.finished(Sql(text, (*condition.parameters, where.limit)))


def _inferences(where: Query) -> Query:
    """Return what is asked of inferences: cursors are of episodes."""
    return Query(
        function_name=where.function_name,
        variant_name=where.variant_name,
        include_failed=where.include_failed,
        filters=where.filters,
        functions=where.functions,
    )
