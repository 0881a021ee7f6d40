from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.ids import (
    EVALUATED_FROM,
    IdFactory,
    evaluated_episode,
    evaluated_millis,
    id_bytes,
    id_millis,
    parse_uuid7,
    uuid7,
)


def test_ids_are_version_7_of_the_rfc_variant():
    for _ in range(200):
        uuid = UUID(uuid7())
        assert uuid.version == 7
        assert uuid.variant == "specified in RFC 4122"


def test_ids_grow_even_when_the_clock_goes_back(monkeypatch):
    factory = IdFactory()
    times = iter([5_000, 4_000, 4_000, 6_000, 1_000] + [1_000] * 10_000)
    monkeypatch.setattr("calibrant.base.ids.time.time_ns", lambda: next(times) * 1_000_000)
    ids = [factory() for _ in range(9_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_an_id_gives_back_its_bytes_and_its_time():
    uuid = "01a20a0b-9646-7000-95a4-15e46aa97aa3"
    assert id_bytes(uuid) == UUID(uuid).bytes
    assert id_millis(uuid) == UUID(uuid).int >> 80


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "badly formed"),
        ("00000000-0000-4000-8000-000000000000", "version 4"),
        ("00000000-0000-7000-8000-000000000000", "before 2020"),
        ("ffffffff-ffff-7000-8000-000000000000", "future"),
    ],
)
def test_ids_of_callers_are_checked(text, says):
    with pytest.raises(ValueError, match=says):
        parse_uuid7(text, now_ms=1_800_000_000_000)


@given(st.integers(min_value=1_579_751_960_000, max_value=1_800_000_000_000))
def test_a_callers_id_is_returned_in_canonical_form(millis):
    text = f"{millis:012X}70008000000000000000"[:32]
    uuid = str(UUID(text[:12] + "7" + text[13:16] + "8" + text[17:]))
    assert parse_uuid7(uuid.upper(), now_ms=1_800_000_000_000) == uuid
    assert id_millis(uuid) == millis


def test_episodes_of_evaluations_are_ten_to_the_ten_seconds_ahead_and_tell_themselves_apart():
    before, made, after = uuid7(), evaluated_episode(), uuid7()
    assert UUID(made).version == 7 and str(UUID(made)) == made
    assert id_millis(made) - evaluated_millis(made) == 10**13
    assert id_millis(before) <= evaluated_millis(made) <= id_millis(after)
    assert before < EVALUATED_FROM <= made
    now = id_millis(after)
    assert parse_uuid7(made.upper(), now_ms=now, evaluated=True) == made
    with pytest.raises(ValueError, match="future"):
        parse_uuid7(made, now_ms=now)


def test_episodes_of_evaluations_go_forwards():
    made = [evaluated_episode() for _ in range(10_000)]
    assert made == sorted(made) and len(set(made)) == len(made)


@pytest.mark.parametrize("ahead", [-1, 1_001])
def test_a_time_between_or_beyond_is_of_no_evaluation(ahead):
    earliest, now = 1_579_751_960_000, 1_800_000_000_000
    millis = 10**13 + (earliest + ahead if ahead < 0 else now + ahead)
    stamp = f"{millis:012x}"
    with pytest.raises(ValueError, match="future"):
        parse_uuid7(f"{stamp[:8]}-{stamp[8:]}-7000-8000-000000000000", now_ms=now, evaluated=True)
