"""What is connected, by way of any number of others. Pure."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["connected"]


def connected(keys: Iterable[str], edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return which keys are connected to each other, what edges name included: union-find, with paths halved."""
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for left, right in edges:
        a, b = root(left), root(right)
        if a != b:
            parent[max(a, b)] = min(a, b)
    found: dict[str, list[str]] = {}
    for key in parent:
        found.setdefault(root(key), []).append(key)
    return list(found.values())
