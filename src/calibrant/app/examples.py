"""The demonstrations of the record as examples for in-context learning: read as they arrive, and searched in memory.

A worker loads this file only where a variant wants examples: it brings numpy and scipy. Each worker has the newest
demonstrations of each function that wants some; new ones are found within seconds. Texts that an embedding model is to
compare are embedded once, and their vectors kept for every worker (`store/vectors.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

import msgspec
import numpy as np

from calibrant.app.erasure_mark import ErasureMark
from calibrant.app.split_watch import SplitWatch
from calibrant.base.errors import CalibrantError
from calibrant.config.schema import Config, Dicl
from calibrant.datasets.withheld import Recorded, Withheld
from calibrant.engine.embed import answer_embeddings
from calibrant.engine.engine import Caller, Engine
from calibrant.measure.leakage import near_duplicates, shingles
from calibrant.measure.neighbours import HashedTexts, Vectors, counted
from calibrant.store.base import Reader
from calibrant.store.vectors import VectorStore
from calibrant.types.call import EmbeddingCall
from calibrant.types.embedding import EmbeddingRequest
from calibrant.types.example import Demonstration, Neighbour

__all__ = ["DemonstrationIndex", "open_index", "wanted"]

_log = logging.getLogger(__name__)
_REFRESH_S = 2.0
_FIRST_S = 5.0
"""How long a request waits for the first reading after a start, before it goes without examples."""
_PAGE = 500
_MOST = 10_000
"""Demonstrations of one function that are held; the newest count."""
_MOST_BYTES = 64 * 1024**2
"""Bytes of inputs and outputs of one function that are held."""
_REREAD_S = 3600.0
"""How often everything is read again: what the record has dropped must go from memory too."""
_EMBED_BATCH = 64
_SEEN = 20
"""Candidates that are looked at for each example that is wanted, since near-duplicates are passed over."""


def wanted(config: Config) -> dict[str, list[Dicl]]:
    """Return the variants that want examples, by function."""
    found = {
        name: [variant for variant in function.variants.values() if isinstance(variant, Dicl)]
        for name, function in config.functions.items()
    }
    return {name: variants for name, variants in found.items() if variants}


@dataclass(slots=True)
class _Pool:
    """The demonstrations of one function."""

    last: int = 0
    held: dict[str, Demonstration] = field(default_factory=dict[str, Demonstration])
    """The latest of each inference, by its id."""
    size: int = 0
    """Bytes of what is held."""
    changed: bool = False
    whole: bool = False
    """Everything has been read again since the vectors were last pruned."""
    due: float = 0.0
    """Monotonic seconds at which everything is to be read again."""

    def add(self, demonstration: Demonstration, *, held_back: bool = False) -> None:
        """Hold it instead of the one that its inference had; the newest are kept, as far as they fit.

        What is held back is passed over: nobody may learn from it.
        """
        self.last, self.changed = demonstration.seq, True
        # One that was demonstrated again moves to the end.
        self._drop(demonstration.inference_id)
        if not held_back and _says_something(demonstration.output):
            self.held[demonstration.inference_id] = demonstration
            self.size += _size(demonstration)
        while len(self.held) > _MOST or self.size > _MOST_BYTES:
            self._drop(next(iter(self.held)))

    def _drop(self, inference_id: str) -> None:
        gone = self.held.pop(inference_id, None)
        self.size -= _size(gone) if gone is not None else 0


@dataclass(frozen=True, slots=True)
class _Index:
    """Demonstrations that can be searched: those of a function, by one kind of vector."""

    demonstrations: tuple[Demonstration, ...]
    texts: HashedTexts | None
    vectors: Vectors | None


class DemonstrationIndex:
    """Implements `engine.Examples`. `start` it once the engine is there; `close` it at the end."""

    def __init__(
        self,
        reader: Reader,
        vectors: VectorStore,
        variants: dict[str, list[Dicl]],
        erased: ErasureMark | None = None,
        withheld: Withheld | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            reader: The record.
            vectors: Those that were made before.
            variants: Which want examples, by function.
            erased: Changes when something was erased from the record.
            withheld: Tells what is held back; null where there are no datasets.
        """
        self._withheld = withheld
        self._split = None if withheld is None else SplitWatch(withheld)
        self._erased = erased
        self._mark: object = None
        """What it, and that of splits, was when everything was read last."""
        self._reader = reader
        self._vectors = vectors
        self._models = {name: {each.embedding_model for each in some} for name, some in variants.items()}
        self._pools = {name: _Pool() for name in variants}
        self._indexes: dict[tuple[str, str | None], dict[int, _Index]] = {}
        """By function and embedding model, and by the length of the vectors: 0 where texts are compared."""
        self._threads = ThreadPoolExecutor(1, "examples")
        # Of its own, so that no search waits for an index that is being made.
        self._searching = ThreadPoolExecutor(1, "example-search")
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._complained = False
        self._odd: set[tuple[str, int]] = set()

    def start(self, engine: Engine) -> None:
        """Begin to read, and go on until closed."""
        self._task = asyncio.get_running_loop().create_task(self._keep_up(engine))

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            # Unlike awaiting it, this raises nothing of the task's own.
            await asyncio.wait([self._task])
        self._threads.shutdown(cancel_futures=True)
        self._searching.shutdown(cancel_futures=True)

    async def nearest(
        self, function_name: str, variant: Dicl, text: str, vector: Sequence[float] | None, episode_id: str
    ) -> Sequence[Neighbour]:
        """See `engine.Examples.nearest`."""
        if not self._tried.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_S):
                    await self._tried.wait()
        indexes = self._indexes.get((function_name, variant.embedding_model), {})
        length = len(vector) if vector is not None else 0
        index = indexes.get(length)
        if index is None:
            if indexes and (function_name, length) not in self._odd:
                self._odd.add((function_name, length))
                _log.warning(
                    "function %r, variant %r: no demonstration has a vector of %d numbers as its requests have, but of "
                    "%s: they go without examples; has the embedding model changed?",
                    *(function_name, variant.name, length, " or ".join(map(str, indexes))),
                )
            return ()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._searching, _search, index, variant, text, vector, episode_id)

    async def refresh(self, engine: Engine) -> None:
        """Take in what has arrived since the last time."""
        try:
            await self._refresh(engine)
        finally:
            self._tried.set()

    async def _refresh(self, engine: Engine) -> None:
        loop = asyncio.get_running_loop()
        self._noticed(await loop.run_in_executor(self._threads, self._marks))
        for name in self._pools:
            if monotonic() >= self._pools[name].due:
                self._pools[name] = _Pool(changed=True, whole=True, due=monotonic() + _REREAD_S)
            pool = self._pools[name]
            await loop.run_in_executor(self._threads, self._read, name, pool)
            if not pool.changed:
                continue
            demonstrations = tuple(pool.held.values())
            for model in self._models[name]:
                if not demonstrations:
                    made: dict[int, _Index] = {}
                elif model is None:
                    before = self._indexes.get((name, None), {}).get(0)
                    made = {0: await loop.run_in_executor(self._threads, _by_text, demonstrations, before)}
                else:
                    made = await self._by_vector(engine, model, demonstrations)
                self._indexes[name, model] = made
            pool.changed = False
        if any(pool.whole for pool in self._pools.values()):
            await self._prune(engine)

    def _marks(self) -> object:
        return (
            None if self._erased is None else self._erased.read(),
            None if self._split is None else self._split.read(),
        )

    def _noticed(self, mark: object) -> None:
        """Have everything read again where something was erased, or came into another split."""
        if mark != self._mark:
            self._mark = mark
            for pool in self._pools.values():
                pool.due = 0.0

    async def _prune(self, engine: Engine) -> None:
        """Forget the vectors of what is no longer held: whoever holds it still embeds it again."""
        texts: dict[str, set[str]] = {}
        for name, models in self._models.items():
            for model in models - {None}:
                texts.setdefault(str(model), set()).update(map(_text, self._pools[name].held.values()))
        loop = asyncio.get_running_loop()
        for model, some in texts.items():
            await loop.run_in_executor(self._threads, self._vectors.prune, _kept(engine, model), some)
        for pool in self._pools.values():
            pool.whole = False

    async def _keep_up(self, engine: Engine) -> None:
        while True:
            try:
                await self.refresh(engine)
                self._complained = False
            except Exception as error:  # noqa: BLE001 - a named edge: whatever broke, the next demonstrations may be right
                # The database may not be there yet, or the embedding model away: what is known already serves.
                if not self._complained:
                    expected = isinstance(error, CalibrantError | sqlite3.Error | OSError)
                    _log.warning(
                        "examples for in-context learning cannot be brought up to date: %r",
                        error,
                        exc_info=not expected,
                    )
                self._complained = True
            await asyncio.sleep(_REFRESH_S)

    def _read(self, name: str, pool: _Pool) -> None:
        while True:
            page = self._reader.demonstrations(name, after=pool.last, limit=_PAGE)
            held = {} if self._withheld is None else self._withheld.of([_recorded(name, each) for each in page])
            for each in page:
                pool.add(each, held_back=each.inference_id in held)
            if len(page) < _PAGE:
                return

    async def _by_vector(
        self, engine: Engine, model: str, demonstrations: tuple[Demonstration, ...]
    ) -> dict[int, _Index]:
        loop = asyncio.get_running_loop()
        texts = [_text(each) for each in demonstrations]
        kept = _kept(engine, model)
        known = await loop.run_in_executor(self._threads, self._vectors.get, kept, texts)
        missing = list(dict.fromkeys(text for text in texts if text not in known))
        for start in range(0, len(missing), _EMBED_BATCH):
            some = missing[start : start + _EMBED_BATCH]
            made = await _embedded(engine, model, some)
            known |= made
            await loop.run_in_executor(self._threads, self._vectors.put, kept, made)
        return await loop.run_in_executor(self._threads, _by_length, demonstrations, known)


def open_index(
    reader: Reader,
    vectors: VectorStore,
    config: Config,
    erased: ErasureMark | None = None,
    withheld: Withheld | None = None,
) -> DemonstrationIndex:
    """Return the index of the examples that a configuration wants."""
    return DemonstrationIndex(reader, vectors, wanted(config), erased, withheld)


def _recorded(function_name: str, of: Demonstration) -> Recorded:
    return Recorded(of.inference_id, function_name, of.episode_id, of.tags, of.input)


async def _embedded(engine: Engine, model: str, texts: list[str]) -> dict[str, bytes]:
    request = EmbeddingRequest(model, EmbeddingCall(tuple(texts), encoding_format="float"))
    answer = await answer_embeddings(engine, request, Caller("examples"), engine.clock.monotonic())
    pairs = zip(texts, answer.reply.embeddings, strict=True)
    return {text: array("f", vector).tobytes() for text, vector in pairs if not isinstance(vector, str)}


def _kept(engine: Engine, model: str) -> str:
    """Return the name by which a model's vectors are kept: with a digest of all that shapes them."""
    providers = [each.provider for each in engine.compiler.embedding_model(model).providers]
    shape = [(p.type, p.model_name, p.api_base, p.extra_body, p.extra_headers, p.options) for p in providers]
    return f"{model} {hashlib.blake2b(msgspec.json.encode(shape, order='sorted'), digest_size=16).hexdigest()}"


def _by_length(demonstrations: tuple[Demonstration, ...], vectors: dict[str, bytes]) -> dict[int, _Index]:
    """Vectors of two lengths cannot be compared: a model behind the name has changed, or two take turns."""
    grouped: dict[int, list[tuple[Demonstration, bytes]]] = {}
    for each in demonstrations:
        vector = vectors.get(_text(each))
        if vector:
            grouped.setdefault(len(vector) // 4, []).append((each, vector))
    return {
        length: _Index(
            tuple(each for each, _ in some),
            None,
            Vectors(np.frombuffer(b"".join(vector for _, vector in some), dtype=np.float32).reshape(-1, length)),
        )
        for length, some in grouped.items()
    }


def _by_text(demonstrations: tuple[Demonstration, ...], before: _Index | None) -> _Index:
    """Count only the texts that the index before has not."""
    texts = before.texts if before is not None else None
    known = (
        {}
        if before is None or texts is None
        else {each.input: texts.row(i) for i, each in enumerate(before.demonstrations)}
    )
    rows = [known.get(each.input) or counted(_text(each)) for each in demonstrations]
    return _Index(demonstrations, HashedTexts(rows), None)


def _size(demonstration: Demonstration) -> int:
    return len(demonstration.input) + len(demonstration.output)


def _says_something(output: bytes) -> bool:
    """Return whether an answer would be more than an empty turn."""
    blocks: Any = msgspec.json.decode(output)
    if isinstance(blocks, dict):
        return bool(cast("dict[str, Any]", blocks).get("raw"))
    return any(block.get("type") != "text" or str(block.get("text", "")).strip() for block in blocks)


def _text(demonstration: Demonstration) -> str:
    return demonstration.input.decode("utf-8", "replace")


def _search(
    index: _Index, variant: Dicl, text: str, vector: Sequence[float] | None, episode_id: str
) -> tuple[Neighbour, ...]:
    if index.vectors is not None:
        if vector is None:
            return ()
        similarities = index.vectors.similarities(vector)
    elif index.texts is not None:
        similarities = index.texts.similarities(text)
    else:
        return ()
    passed = [shingles(text)]
    found: list[Neighbour] = []
    for place in map(int, (-similarities).argsort(kind="stable")[: variant.k * _SEEN]):
        distance = 1.0 - float(similarities[place])
        if len(found) == variant.k or (variant.max_distance is not None and distance > variant.max_distance):
            break
        demonstration = index.demonstrations[place]
        if demonstration.episode_id == episode_id:
            continue
        mine = shingles(_text(demonstration))
        # Neither what is asked itself, nor the same example twice.
        if not any(near_duplicates(mine, other) for other in passed):
            passed.append(mine)
            found.append(Neighbour(demonstration, distance))
    return tuple(found)
