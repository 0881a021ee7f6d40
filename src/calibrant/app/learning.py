"""Opens the examples for in-context learning, where a variant wants any: what searches them is heavy to load."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from calibrant.app.erasure_mark import ErasureMark
from calibrant.app.options import Options
from calibrant.config.schema import Config, Dicl
from calibrant.datasets.withheld import Withheld
from calibrant.engine.engine import Engine, Examples
from calibrant.store.base import Reader
from calibrant.store.catalogue import Catalogue
from calibrant.store.vectors import VectorStore

__all__ = ["OpenExamples", "open_examples"]


class OpenExamples(Examples, Protocol):
    """Examples that are kept up to date until they are closed."""

    def start(self, engine: Engine) -> None:
        """Begin to read the record."""
        ...

    async def close(self) -> None:
        """Stop reading."""
        ...


def open_examples(
    config: Config, options: Options, reader: Reader, catalogue: Catalogue, *, shared: bool
) -> OpenExamples | None:
    """Return the examples, not yet started, or null where no variant wants any or nothing is recorded.

    Args:
        config: Has the variants.
        options: Where things stand.
        reader: The record.
        catalogue: Its datasets say what may be no example.
        shared: Whether other hosts have the catalogue, too: its log says then what they erase.
    """
    variants = [variant for function in config.functions.values() for variant in function.variants.values()]
    if not config.observability or not any(isinstance(each, Dicl) for each in variants):
        return None
    module = importlib.import_module("calibrant.app.examples")
    erased = ErasureMark(options.erased_path, catalogue if shared else None)
    withheld = Withheld(catalogue)
    return cast("OpenExamples", module.open_index(reader, VectorStore(options.vectors_path), config, erased, withheld))
