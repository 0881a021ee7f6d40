"""A little of `fuzz.py` in every run; ten minutes of it before a release."""

from __future__ import annotations

import random

import pytest
from tests.contract.providers.cases import Answer, BrokenStream
from tests.property.providers.fuzz import one, streams


@pytest.mark.parametrize("case", streams(), ids=str)
def test_a_stream_that_goes_wrong(case: Answer | BrokenStream) -> None:
    for seed in range(15):
        assert one(case, random.Random(seed))
