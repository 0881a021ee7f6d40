"""Whatever fails, the calls and pauses are those of a model that fits on one screen."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.engine import Line, function, model

from calibrant.base.errors import Disconnected, ProvidersExhausted, Refused
from calibrant.config.schema import Retries
from calibrant.engine.attempt import Pause, attempts
from calibrant.engine.journal import Journal

FOR_GOOD, FOR_NOW, FINE = "for good", "for now", "fine"
OUTCOMES = st.lists(st.sampled_from([FOR_GOOD, FOR_NOW, FOR_NOW, FINE]), max_size=12)


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """An engine whose model has one, two or three providers, in an order that no failure changes."""
    folder = tmp_path_factory.mktemp("engine")
    off = "breaker = { enabled = false }"
    return {count: Line(folder, model("m", *"abc"[:count], extra=off) + function()).engine for count in (1, 2, 3)}


def expected(providers, retries, outcomes):
    """The naive model: rounds over all providers; another round while retries are left and one may mend it."""
    steps, outcomes = [], iter(outcomes)
    for turn in range(retries + 1):
        mendable = False
        for provider in "abc"[:providers]:
            outcome = next(outcomes, FINE)
            steps.append(provider)
            if outcome == FINE:
                return steps, "answered"
            mendable = mendable or outcome == FOR_NOW
        if not mendable or turn == retries:
            return steps, "exhausted"
        steps.append("pause")
    raise AssertionError


def walked(engine, variant, journal, outcomes, stream):
    steps, outcomes = [], iter(outcomes)
    try:
        for step in attempts(engine, variant, journal, stream=stream):
            if isinstance(step, Pause):
                assert 0 <= step.seconds <= variant.retries.max_delay_s
                steps.append("pause")
                continue
            steps.append(step.provider.provider.name)
            outcome = next(outcomes, FINE)
            if outcome == FINE:
                return steps, "answered"
            step.error = Disconnected("x") if outcome == FOR_NOW else Refused("x", retryable=False)
    except ProvidersExhausted:
        return steps, "exhausted"
    raise AssertionError


@given(st.integers(1, 3), st.integers(0, 3), OUTCOMES, st.booleans())
@example(2, 1, [FOR_GOOD, FOR_NOW, FOR_GOOD, FOR_GOOD], False)
def test_the_sequence_of_calls_is_that_of_the_naive_model(engines, providers, retries, outcomes, stream):
    engine = engines[providers]
    variant = engine.compiler.function("f").variants["v"].variant
    variant = replace(variant, retries=Retries(retries, max_delay_s=5))
    journal = Journal("i")
    steps, end = walked(engine, variant, journal, outcomes, stream)
    assert (steps, end) == expected(providers, retries, outcomes)
    failed = [step for step in steps if step != "pause"][: None if end == "exhausted" else -1]
    assert [row.provider_name for row in journal.rows] == failed
    assert [row.attempt for row in journal.rows] == list(range(1, len(failed) + 1))
    assert {row.status for row in journal.rows} <= {"error"}
