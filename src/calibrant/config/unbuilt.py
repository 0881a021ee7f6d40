"""Keys that the document knows and this version does nothing with, as a table.

An inert key loads with one warning: everything is served as it would be without it. A refused key is an
error, since a request could reach what it asks for and would be served wrongly. When a feature is built, its
row goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, cast

from msgspec import Struct

from calibrant.config.problem import Path

__all__ = ["UNBUILT", "Found", "Unbuilt", "find_unbuilt"]


class Unbuilt(Struct, frozen=True):
    """A key whose feature is missing."""

    pattern: str
    """Dotted path; `*` is any name."""
    feature: str
    reach: Literal["inert", "refused"]
    values: tuple[Any, ...] = ()
    """The values that ask for the feature; any value does where this is empty."""
    without: str = ""
    """What happens instead; completes the warning."""


class Found(Struct, frozen=True):
    """A row of the table and where the document has it."""

    row: Unbuilt
    path: Path


def _inert(pattern: str, feature: str, without: str, *values: Any) -> Unbuilt:
    return Unbuilt(pattern, feature, "inert", values, without)


def _refused(pattern: str, feature: str, *values: Any) -> Unbuilt:
    return Unbuilt(pattern, feature, "refused", values)


_PROVIDER = "models.*.providers.*"
_EMBEDDER = "embedding_models.*.providers.*"
_EXPERIMENT = "functions.*.experimentation"
_BANDITS = ("adaptive", "track_and_stop")

UNBUILT: tuple[Unbuilt, ...] = (
    _inert("gateway.export.otlp.traces.enabled", "OTLP export", "traces are not exported", True),
    _inert("gateway.export.otlp.traces.format", "OTLP export", "traces are not exported"),
    _inert("gateway.export.otlp.traces.extra_headers", "OTLP export", "traces are not exported"),
    _inert("gateway.export.otlp.traces.include_content", "OTLP export", "traces are not exported"),
    _inert("gateway.cache.backend", "this backend", "answers are cached in SQLite", "clickhouse", "valkey"),
    _inert("gateway.observability.backend", "this key", "the address of a database decides", "clickhouse", "postgres"),
    _inert("gateway.observability.batch_writes", "batched writes", "the spool takes its place, see [spool]"),
    _inert("gateway.observability.async_writes", "asynchronous writes", "the spool takes its place, see [spool]"),
    _refused("rate_limiting.rules", "rate limiting"),
    _inert("rate_limiting.backend", "rate limiting", "no limit is kept"),
    _inert("rate_limiting.default_cost", "rate limiting", "no limit is kept"),
    _inert("rate_limiting.default_nano_cost", "rate limiting", "no limit is kept"),
    _inert("autopilot", "Autopilot", "nothing runs"),
    _inert("evaluations", "evaluations", "only a confirmation uses its evaluators"),
    _inert("functions.*.evaluators", "evaluators", "only a confirmation uses them"),
    _inert("optimizers", "optimizers", "nothing is optimized"),
    _inert("provider_types.*.sft", "fine-tuning", "nothing is tuned"),
    _inert(f"{_PROVIDER}.beta_structured_outputs", "this beta", "structured outputs are asked for without it"),
    _inert(f"{_PROVIDER}.timeout_ms", "one timeout of a chat model", "`timeouts` has its timeouts"),
    _refused(f"{_PROVIDER}.content_type_overrides", "content_type_overrides"),
    _inert(f"{_EMBEDDER}.batch_cost", "batch inference", "there is no route for it"),
    _refused(f"{_EXPERIMENT}.type", "adaptive experiments", *_BANDITS),
    _refused(f"{_EXPERIMENT}.namespaces.*.type", "adaptive experiments", *_BANDITS),
)
"""Every row, from general to particular."""


def find_unbuilt(tree: dict[str, Any]) -> list[Found]:
    """Return each place where the document asks for a feature that is missing.

    A rate limit is not reached where limiting is off, nor a provider that no routing names.
    """
    found = [Found(row, path) for row in UNBUILT for path in _asked(tree, row)]
    return [each if _reached(tree, each) else Found(_softened(each.row), each.path) for each in found]


def _asked(tree: dict[str, Any], row: Unbuilt) -> Iterator[Path]:
    for path, value in _select(tree, tuple(row.pattern.split(".")), ()):
        # An empty array or table asks for nothing.
        if value in row.values if row.values else value not in ([], {}):
            yield path


def _select(value: Any, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Any]]:
    if not pattern:
        yield path, value
    elif isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        for key in table if pattern[0] == "*" else (pattern[0],):
            if key in table:
                yield from _select(table[key], pattern[1:], (*path, key))


def _reached(tree: dict[str, Any], found: Found) -> bool:
    match found.path:
        case ("rate_limiting", *_):
            return tree["rate_limiting"].get("enabled", True)
        case ("models", model, "providers", provider, *_):
            return provider in tree["models"][model].get("routing", [])
        case _:
            return True


def _softened(row: Unbuilt) -> Unbuilt:
    return row if row.reach == "inert" else _inert(row.pattern, row.feature, "no request reaches it")
