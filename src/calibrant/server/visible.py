"""What a key may see of the record: one with a list of functions sees these alone."""

from __future__ import annotations

from calibrant.engine.engine import Engine
from calibrant.engine.grants import check_function
from calibrant.server.http import HttpRequest
from calibrant.store.base import Reader
from calibrant.types.key import Grants
from calibrant.types.query import Query

__all__ = ["check_visible", "shown", "visible_functions"]


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
