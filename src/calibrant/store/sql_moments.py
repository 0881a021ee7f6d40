"""From a `Scored` to SQL, and from its answer to moments. Pure.

Deviations are from the group's own mean, which is found first: sums of squares would lose all digits of a metric whose
values are large and close together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from calibrant.store.dialect import Dialect, Sql, joined
from calibrant.types.query import Moments, Scored

__all__ = ["moments_sql", "to_moments"]

_NOISE = 1e-12
"""Totals that cancel leave rounding noise behind, which must not pass for a tiny variance."""
_LATEST = (
    "NOT EXISTS (SELECT 1 FROM feedback h WHERE h.metric_name = g.metric_name "
    "AND h.target_id = g.target_id AND h.id > g.id AND h.number IS NOT NULL)"
)
_JUDGED = f"g.metric_name = ? AND g.level = ? AND g.number IS NOT NULL AND {_LATEST}"
_OF_INFERENCES = (
    "SELECT i.variant_name AS variant_name, i.id AS id, i.episode_id AS cluster, g.number AS y "  # noqa: S608
    f"FROM feedback g JOIN inferences i ON i.id = g.target_id WHERE {_JUDGED} "
    "AND i.function_name = ? AND i.status <> 'running' AND NOT {replayed}"
)
_OF_EPISODES = (
    "SELECT min(i.variant_name) AS variant_name, min(i.id) AS id, g.target_id AS cluster, g.number AS y "  # noqa: S608
    f"FROM feedback g JOIN inferences i ON i.episode_id = g.target_id WHERE {_JUDGED} "
    "AND i.function_name || '' = ? AND i.status <> 'running' AND NOT {replayed} "
    "GROUP BY g.target_id, g.number HAVING min(i.variant_name) = max(i.variant_name)"
)
"""The name is compared as an expression, so that no index of functions is gone through for each episode."""


def moments_sql(asked: Scored, dialect: Dialect) -> Sql:
    """Return the statement that answers a question for moments."""
    rows = _OF_INFERENCES if asked.metric.level == "inference" else _OF_EPISODES
    rows = rows.format(replayed=dialect.replayed.format(tags="i.tags"))
    names = [f"k{number}" for number in range(len(asked.by))]
    keys = joined("", [_key(group, name, dialect) for group, name in zip(asked.by, names, strict=True)])
    only = Sql("") if asked.variant_name is None else Sql(" WHERE variant_name = ?", (asked.variant_name,))
    prefix = "".join(f"{name}, " for name in names)
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    of_means = "".join(f"b.{name}, " for name in names)
    same = " AND ".join(f"a.{name} = b.{name}" for name in names) or "1 = 1"
    by_mean = f" GROUP BY {of_means}b.n, b.mean, b.clusters, b.sizes"
    text = (
        f"WITH scored AS ({rows}), "  # noqa: S608
        f"keyed AS (SELECT {keys.text}cluster, y FROM scored{only.text}), "
        f"parts AS (SELECT {prefix}cluster, count(*) AS m, sum(y) AS s FROM keyed GROUP BY {prefix}cluster), "
        f"means AS (SELECT {prefix}sum(m) AS n, sum(s) / sum(m) AS mean, count(*) AS clusters, sum(m * m) AS sizes "
        f"FROM parts{grouped}), "
        f"spread AS (SELECT {of_means}b.n AS n, b.mean AS mean, b.clusters AS clusters, b.sizes AS sizes, "
        "sum((a.y - b.mean) * (a.y - b.mean)) AS squares, sum(abs(a.y - b.mean)) AS absolute "
        f"FROM keyed a JOIN means b ON {same}{by_mean}) "
        f"SELECT {of_means}b.n, b.mean, b.squares, b.clusters, b.sizes, "
        "sum((a.s - a.m * b.mean) / nullif(b.n - a.m, 0) * ((a.s - a.m * b.mean) / nullif(b.n - a.m, 0))), "
        "max(abs(a.s - a.m * b.mean)), b.absolute "
        f"FROM parts a JOIN spread b ON {same}{by_mean}, b.squares, b.absolute"
    )
    parameters = (asked.metric.name, asked.metric.level, asked.function_name, *keys.parameters, *only.parameters)
    return dialect.finished(Sql(text, parameters))


def to_moments(asked: Scored, rows: Iterable[Sequence[Any]]) -> tuple[Moments, ...]:
    """Return the groups that the answer tells of, in the order of their keys."""
    width = len(asked.by)
    return tuple(sorted((_moments(row, width) for row in rows), key=lambda group: group.key))


def _key(group: str, name: str, dialect: Dialect) -> Sql:
    if group == "variant":
        return Sql(f"variant_name AS {name}, ")
    return Sql(f"{dialect.bucket.format(id='id')} AS {name}, ", (group,))


def _moments(row: Sequence[Any], width: int) -> Moments:
    n, mean, squares, clusters, sizes, moves, largest, absolute = row[width:]
    if moves is None or largest <= _NOISE * absolute:
        moves = 0.0
    return Moments(
        key=tuple(value if isinstance(value, str) else int(value) for value in row[:width]),
        n=int(n),
        mean=float(mean),
        squares=float(squares),
        clusters=int(clusters),
        sizes=int(sizes),
        moves=float(moves),
    )
