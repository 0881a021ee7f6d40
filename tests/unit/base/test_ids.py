from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.ids import IdFactory, id_bytes, id_millis, parse_uuid7, uuid7


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
