"""What the codecs of batches have in common: reading an answer, and the lines of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from calibrant.providers.refusal import UNREADABLE, bad_answer, refused
from calibrant.types.call import Exchange

__all__ = ["one_line", "read", "read_lines"]

T = TypeVar("T")


def read(provider: str, answer: Exchange, decoder: msgspec.json.Decoder[T]) -> T:
    """Return an answer as the decoder's type.

    Raises:
        Refused: the provider sent an error.
        BadAnswer: it is something else.
    """
    if not 200 <= answer.status < 300:
        raise refused(provider, answer.status, answer.headers, answer.body)
    try:
        return decoder.decode(answer.body)
    except UNREADABLE as error:
        raise bad_answer(provider, answer.status, answer.body, str(error)) from None


def read_lines(provider: str, answer: Exchange, decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
    """Yield each line of a file as the decoder's type.

    Raises:
        Refused, BadAnswer: as for `read`.
    """
    if not 200 <= answer.status < 300:
        raise refused(provider, answer.status, answer.headers, answer.body)
    for line in answer.body.split(b"\n"):
        if line.strip():
            yield read(provider, Exchange(answer.status, answer.headers, line), decoder)


def one_line(body: bytes) -> bytes:
    """Return a JSON document without line breaks. Within its strings there are none."""
    return body.replace(b"\n", b" ").replace(b"\r", b" ")
