"""What erasure takes out of the catalogue's tables of splits, in the SQL that SQLite and PostgreSQL share.

Call it when the datapoints' rows say already that they are erased, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from calibrant.store.portable import Statements, marks_for, pages

__all__ = ["drop_groups", "drop_prints"]

_PAGE: Final = 400


def drop_prints(connection: Statements, dataset_name: str, content_hashes: Set[str]) -> None:
    """Delete the prints and bands of contents that no datapoint of the dataset has any more."""
    for some in pages(sorted(_without(connection, dataset_name, "content_hash", content_hashes)), _PAGE):
        which = f"WHERE dataset_name = ? AND content_hash IN ({marks_for(some)})"
        # No index leads from a content to its bands: only where there are some is the dataset's part looked through.
        if connection.execute(f"DELETE FROM datapoint_prints {which}", (dataset_name, *some)).rowcount:  # noqa: S608
            connection.execute(f"DELETE FROM datapoint_bands {which}", (dataset_name, *some))  # noqa: S608


def drop_groups(connection: Statements, dataset_name: str, keys: Set[str]) -> None:
    """Delete groups that have nothing left, and call no component by their keys any more."""
    for some in pages(sorted(_without(connection, dataset_name, "group_key", keys)), _PAGE):
        marks = marks_for(some)
        connection.execute(
            f"DELETE FROM split_groups WHERE dataset_name = ? AND group_key IN ({marks})",  # noqa: S608
            (dataset_name, *some),
        )
        rows = connection.execute(
            "SELECT component, min(group_key) FROM split_groups "  # noqa: S608
            f"WHERE dataset_name = ? AND component IN ({marks}) GROUP BY component",
            (dataset_name, *some),
        ).fetchall()
        connection.executemany(
            "UPDATE split_groups SET component = ? WHERE dataset_name = ? AND component = ?",
            [(first, dataset_name, component) for component, first in rows],
        )


def _without(connection: Statements, dataset_name: str, column: str, values: Set[str]) -> Set[str]:
    """Return those of these values that no datapoint of the dataset has which was not erased."""
    held: set[str] = set()
    for some in pages(values, _PAGE):
        rows = connection.execute(
            f"SELECT DISTINCT {column} FROM datapoints WHERE dataset_name = ? AND source <> 'erased' "  # noqa: S608
            f"AND {column} IN ({marks_for(some)})",
            (dataset_name, *some),
        ).fetchall()
        held.update(row[0] for row in rows)
    return values - held
