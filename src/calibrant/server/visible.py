"""What a key may see of the record: one with a list of functions sees these alone.

To a key that learns, an optimizer's, there is no payload of an inference that is held back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from calibrant.datasets.reader import learns
from calibrant.datasets.withheld import Withheld, recorded
from calibrant.engine.engine import Engine
from calibrant.engine.grants import check_function
from calibrant.server.http import HttpRequest
from calibrant.store.base import Reader
from calibrant.types.key import Grants
from calibrant.types.query import Query
from calibrant.types.rows import InferenceRow

__all__ = ["check_visible", "learnable", "shown", "target_learnable", "visible_functions"]

_OF_EPISODE: Final = 200
"""Inferences of an episode that are looked at, the newest."""


def visible_functions(http: HttpRequest) -> tuple[str, ...] | None:
    """Return the functions that the caller's key may see, which may end in `*`; null is all."""
    grants = None if http.principal is None else http.principal.grants
    return None if grants is None else grants.functions


def check_visible(engine: Engine, http: HttpRequest, function_name: str) -> None:
    """Refuse a function that the caller's key may not see.

    Raises:
        Forbidden: it is not on its list.
    """
    grants = None if http.principal is None else http.principal.grants
    if grants is not None:
        check_function(engine, function_name, grants)


def shown(reader: Reader, target_id: str, functions: tuple[str, ...] | None) -> bool:
    """Return whether an inference or an episode may be seen; without a list, anything may."""
    if functions is None:
        return True
    found = reader.get((target_id,))
    if found:
        return Grants(functions=functions).function(found[0].function_name)
    where = Query(episode_id=target_id, functions=functions, include_failed=True, limit=1, payloads=False)
    return bool(reader.find(where))


def learnable(
    http: HttpRequest, withheld: Withheld | None, rows: Sequence[InferenceRow], *, besides: str | None = None
) -> Sequence[InferenceRow]:
    """Return the inferences, of those with their payloads, that the caller may be given the payloads of. Blocks.

    Args:
        http: Who asks; it matters only whether their key learns.
        withheld: Tells what is held back; null where there are no datasets.
        rows: A page of them.
        besides: A dataset that they are about to enter, which splits them itself.
    """
    if withheld is None or not learns(http.principal):
        return rows
    held = withheld.of([recorded(row) for row in rows], besides=besides)
    return [row for row in rows if row.id not in held]


def target_learnable(http: HttpRequest, withheld: Withheld | None, reader: Reader, target_id: str) -> bool:
    """Return whether the caller may be given payloads of an inference, or of an episode of which none is held back."""
    if withheld is None or not learns(http.principal):
        return True
    rows = reader.get((target_id,))
    if not rows:
        rows = reader.find(Query(episode_id=target_id, include_failed=True, limit=_OF_EPISODE))
    return len(learnable(http, withheld, rows)) == len(rows)
