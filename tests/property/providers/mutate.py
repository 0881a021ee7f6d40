"""Streams that go wrong: fixtures cut, doubled, shuffled, and with bytes changed."""

from __future__ import annotations

import random

__all__ = ["mutated", "pieces"]

_TOKENS = (
    b"null",
    b"-1",
    b"1e999",
    b'""',
    b"[]",
    b"{}",
    b"true",
    b'"\\ud800"',
    b"\xff\xfe",
    b"\0",
    b"data: ",
    b"\n\n",
    b"\r",
)


def mutated(stream: bytes, rng: random.Random) -> bytes:
    """Return the stream with one to four things wrong with it."""
    for _ in range(rng.randint(1, 4)):
        stream = rng.choice((_flip, _drop, _insert, _double, _swap, _replace_value))(stream, rng)
    return stream


def pieces(stream: bytes, rng: random.Random) -> list[bytes]:
    """Return the stream, cut in up to nine places."""
    cuts = sorted(rng.randint(0, len(stream)) for _ in range(rng.randint(0, 9)))
    bounds = [0, *cuts, len(stream)]
    return [stream[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def _flip(stream: bytes, rng: random.Random) -> bytes:
    if not stream:
        return stream
    at = rng.randrange(len(stream))
    return stream[:at] + bytes([rng.randrange(256)]) + stream[at + 1 :]


def _drop(stream: bytes, rng: random.Random) -> bytes:
    a, b = sorted((rng.randint(0, len(stream)), rng.randint(0, len(stream))))
    return stream[:a] + stream[min(b, a + rng.choice((1, 10, 1000))) :]


def _insert(stream: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(stream))
    return stream[:at] + rng.choice((*_TOKENS, rng.randbytes(rng.randint(1, 40)))) + stream[at:]


def _events(stream: bytes) -> list[bytes]:
    return stream.split(b"\n\n")


def _double(stream: bytes, rng: random.Random) -> bytes:
    events = _events(stream)
    at = rng.randrange(len(events))
    return b"\n\n".join([*events[: at + 1], *events[at:]])


def _swap(stream: bytes, rng: random.Random) -> bytes:
    events = _events(stream)
    a, b = rng.randrange(len(events)), rng.randrange(len(events))
    events[a], events[b] = events[b], events[a]
    return b"\n\n".join(events)


def _replace_value(stream: bytes, rng: random.Random) -> bytes:
    """Put a value of another type after some colon."""
    colons = [i for i, byte in enumerate(stream) if byte == 0x3A]
    if not colons:
        return stream
    at = rng.choice(colons) + 1
    end = next((i for i in range(at, len(stream)) if stream[i] in b",}]\n"), len(stream))
    return stream[:at] + rng.choice(_TOKENS) + stream[end:]
