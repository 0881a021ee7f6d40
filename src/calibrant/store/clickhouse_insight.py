"""From a `Scored`, and from a question for episodes, to ClickHouse's SQL. Pure; as `sql_moments` and `sql_episodes`."""

from __future__ import annotations

from calibrant.base.ids import EVALUATED_FROM, ahead, in_time
from calibrant.store.clickhouse_query import NO_REPLAY, Parts, Statement, begin_of
from calibrant.types.query import Query, Scored

__all__ = ["bounds_statement", "episodes_statements", "moments_statement"]


def moments_statement(asked: Scored) -> Statement:
    """Return the statement for the groups of a question for moments."""
    parts = Parts()
    metric, level = parts.text(asked.metric.name), parts.text(asked.metric.level)
    latest = (
        "(SELECT target_id, assumeNotNull(argMax(number, id)) AS y FROM feedback FINAL "  # noqa: S608
        f"WHERE metric_name = {metric} AND level = {level} AND number IS NOT NULL GROUP BY target_id) AS g"
    )
    inferences = (
        "(SELECT id, episode_id, variant_name FROM inferences FINAL "  # noqa: S608
        f"WHERE function_name = {parts.text(asked.function_name)} AND status != 'running' AND {NO_REPLAY}) AS i"
    )
    if asked.metric.level == "inference":
        scored = (
            "SELECT i.variant_name AS variant_name, i.id AS id, i.episode_id AS cluster, g.y AS y "  # noqa: S608
            f"FROM {latest} INNER JOIN {inferences} ON i.id = g.target_id"
        )
    else:
        scored = (
            "SELECT min(i.variant_name) AS variant_name, min(i.id) AS id, g.target_id AS cluster, any(g.y) AS y "  # noqa: S608
            f"FROM {latest} INNER JOIN {inferences} ON i.episode_id = g.target_id "
            "GROUP BY g.target_id HAVING min(i.variant_name) = max(i.variant_name)"
        )
    keys = "".join(
        f"{'variant_name' if group == 'variant' else begin_of(group, 'id')} AS k{number}, "
        for number, group in enumerate(asked.by)
    )
    only = "" if asked.variant_name is None else f" WHERE variant_name = {parts.text(asked.variant_name)}"
    names = "".join(f"k{number}, " for number in range(len(asked.by)))
    grouped = f" GROUP BY {names[:-2]}" if names else ""
    text = (
        # Everything of a group at once: its values, and of each cluster how many they are and their sum.
        f"SELECT {names}n, mean, arraySum(v -> (v - mean) * (v - mean), ys), length(ms), arraySum(m -> m * m, ms), "  # noqa: S608
        "arraySum((m, s) -> if(n = m, 0, ((s - m * mean) / (n - m)) * ((s - m * mean) / (n - m))), ms, ss), "
        "arrayMax(arrayMap((m, s) -> abs(s - m * mean), ms, ss)), arraySum(v -> abs(v - mean), ys) "
        f"FROM (SELECT {names}arrayFlatten(groupArray(values)) AS ys, groupArray(m) AS ms, groupArray(s) AS ss, "
        "sum(m) AS n, sum(s) / sum(m) AS mean "
        f"FROM (SELECT {names}cluster, groupArray(y) AS values, toInt64(count()) AS m, sum(y) AS s "
        f"FROM (SELECT {keys}cluster, y FROM ({scored}){only}) GROUP BY {names}cluster){grouped})"
    )
    return Statement(text if asked.by else f"{text} WHERE n > 0", parts.values)


def episodes_statements(where: Query) -> tuple[Statement, Statement]:
    """Return the statements for a page of episodes: of ordinary ones, and of those of workflow evaluations."""
    return _page(where, evaluated=False), _page(where, evaluated=True)


def bounds_statement(where: Query) -> Statement:
    """Return the statement for the first and the last episode of either range, and for how many there are."""
    parts = Parts()
    wanted = parts.conditions(_inferences(where))
    mark = parts.text(EVALUATED_FROM)
    return Statement(
        f"SELECT i.episode_id >= {mark} AS evaluated, min(i.episode_id), max(i.episode_id), "
        f"uniqExact(i.episode_id) {parts.source()} WHERE {wanted} GROUP BY evaluated",
        parts.values,
    )


def _page(where: Query, *, evaluated: bool) -> Statement:
    parts = Parts()
    wanted = [parts.conditions(_inferences(where))]
    wanted.append(f"i.episode_id {'>=' if evaluated else '<'} {parts.text(EVALUATED_FROM)}")
    for sign, cursor in (("<", where.before), (">", where.after)):
        if cursor is not None:
            plain = in_time(cursor)
            wanted.append(f"i.episode_id {sign} {parts.text(ahead(plain) if evaluated else plain)}")
    order = "DESC" if where.after is None else "ASC"
    return Statement(
        f"SELECT i.episode_id, count(), min(i.id), max(i.id) {parts.source()} WHERE {' AND '.join(wanted)} "
        f"GROUP BY i.episode_id ORDER BY i.episode_id {order} LIMIT {where.limit}",
        parts.values,
    )


def _inferences(where: Query) -> Query:
    """Return what is asked of inferences: cursors are of episodes."""
    return Query(
        function_name=where.function_name,
        variant_name=where.variant_name,
        include_failed=where.include_failed,
        filters=where.filters,
        functions=where.functions,
    )
