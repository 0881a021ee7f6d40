"""`python -m tests.property.providers.fuzz SECONDS [SEED]`: every stream decoder on streams that go wrong.

What may happen is a `ProviderError`; what must not: any other exception, chunks that depend on how the bytes
were cut, more memory than the stream is worth. What it finds, it prints with seed and bytes, and ends with 1.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from dataclasses import dataclass, field

import msgspec
from tests.contract.providers.cases import Answer, BrokenStream
from tests.contract.providers.dialects.all import of
from tests.property.providers.mutate import mutated, pieces

from calibrant.base.errors import ProviderError
from calibrant.types.reply import Chunk, fold

__all__ = ["Seen", "check", "main", "streams"]

_PER_BYTE = 600
"""Bytes of memory that a byte of a stream may cost; a short stream's fixed costs come on top."""
_FIXED = 512 * 1024


@dataclass
class Seen:
    """What was tried."""

    streams: int = 0
    errors: dict[str, int] = field(default_factory=dict)


def streams() -> list[Answer | BrokenStream]:
    """Return every case that has a stream."""
    return [case for case in of(Answer) if case.stream] + of(BrokenStream)


def check(case: Answer | BrokenStream, stream: bytes, cut: list[bytes]) -> str:
    """Return how the stream ended; raises `AssertionError`, or whatever escapes, where something is wrong."""
    whole, how = _read(case, [stream])
    parts, how_cut = _read(case, cut)
    assert [c for c in parts if c.content or c.usage or c.raw] == [c for c in whole if c.content or c.usage or c.raw]
    assert how == how_cut
    fold(whole)
    return how


def _read(case: Answer | BrokenStream, cut: list[bytes]) -> tuple[list[Chunk], str]:
    decoder = case.made().decoder(json_tool=getattr(case, "json_tool", False))
    chunks: list[Chunk] = []
    try:
        for piece in cut:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, type(error).__name__
    return chunks, "whole"


def one(case: Answer | BrokenStream, rng: random.Random) -> str:
    """Try one stream that goes wrong, with an eye on memory."""
    stream = mutated(case.stream or b"", rng)
    if rng.random() < 0.02:
        tracemalloc.start()
        try:
            how = check(case, stream, pieces(stream, rng))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < _FIXED + _PER_BYTE * len(stream), f"{peak} bytes for a stream of {len(stream)}"
        return how
    return check(case, stream, pieces(stream, rng))


def main() -> int:
    """Fuzz for so many seconds."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    end, seen, cases = time.monotonic() + seconds, Seen(), streams()
    while time.monotonic() < end:
        for case in cases:
            seed += 1
            rng = random.Random(seed)
            try:
                how = one(case, rng)
            except Exception as error:
                again = random.Random(seed)
                print(f"{case}, seed {seed}: {type(error).__name__}: {error}\n{mutated(case.stream or b'', again)!r}")
                return 1
            seen.streams += 1
            seen.errors[how] = seen.errors.get(how, 0) + 1
    print(msgspec.json.encode(seen).decode(), f"of {len(cases)} fixtures")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
