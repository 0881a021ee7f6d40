"""Microseconds of each provider's codec, by pytest-benchmark, beside a calibration loop.

Run by `python -m bench.codecs`, which writes the results; nothing here is a test of speed.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.contract.providers.calls import HELLO
from tests.contract.providers.cases import Answer
from tests.contract.providers.dialects.all import of
from tests.contract.providers.matrix import ROWS

from calibrant.types.call import ModelCall
from calibrant.types.request import Params


def _text(row: str) -> Answer:
    """Return the row's plain text answer, which has both forms."""
    return next(case for case in of(Answer) if case.row == row and case.name == "text" and case.whole and case.stream)


# Anthropic wants a limit; for the others it is a parameter like any.
_CALL = ModelCall("Be brief.", HELLO, Params(max_tokens=100))
_ANSWERS = {row: _text(row) for row in ROWS}


@pytest.mark.benchmark(group="calibration")
def test_calibration(benchmark: Any) -> None:
    def loop() -> int:
        total = 0
        for i in range(1000):
            total += i & 7
        return total

    assert benchmark(loop) == 3500


@pytest.mark.benchmark(group="encode and decode a plain call")
@pytest.mark.parametrize("row", ROWS)
def test_plain_call(benchmark: Any, row: str) -> None:
    case = _ANSWERS[row]
    made = case.made()

    def both() -> object:
        made.encode(_CALL)
        return made.decode(200, case.headers, case.whole or b"", json_tool=False)

    assert benchmark(both).content == case.reply.content


@pytest.mark.benchmark(group="a stream of text, whole")
@pytest.mark.parametrize("row", ROWS)
def test_stream(benchmark: Any, row: str) -> None:
    case = _ANSWERS[row]
    made = case.made()
    decoder = made.decoder(json_tool=False)
    benchmark.extra_info["chunks"] = len([*decoder.feed(case.stream or b""), *decoder.close()])

    def read() -> int:
        decoder = made.decoder(json_tool=False)
        return len(decoder.feed(case.stream or b"")) + len(decoder.close())

    assert benchmark(read) == benchmark.extra_info["chunks"]
