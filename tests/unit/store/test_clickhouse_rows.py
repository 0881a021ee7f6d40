import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.records import begun, feedback, inferred

from calibrant.base.ids import id_millis, uuid7
from calibrant.store.clickhouse_rows import (
    EPOCH_MS,
    SEQ_SHIFT,
    RowsRefused,
    Sequencer,
    blocks_of,
    second_of,
    writer_number,
)
from calibrant.store.clickhouse_schema import TABLES
from calibrant.types.rows import Shed, SnapshotRecord

NOW = 1_800_000_000_000


def blocks(*records, sequencer=None, now_ms=NOW):
    made = blocks_of(records, incarnation="w", at_ms=5, sequencer=sequencer or Sequencer(3), now_ms=now_ms)
    return {
        block.table: (dict(zip(TABLES[block.table].columns, block.columns, strict=True)), block.token) for block in made
    }


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 2**41)), max_size=12), st.integers(0, 1023))
def test_numbers_ascend_whatever_the_clock_does(steps, writer):
    sequencer = Sequencer(writer)
    taken = [number for count, now in steps for number in sequencer.take(count, now_ms=now)]
    assert taken == sorted(set(taken))
    assert all((number >> 12) & 1023 == writer and 0 <= number < 2**63 for number in taken)


def test_numbers_go_on_after_those_that_were_given_before():
    last = Sequencer(3).take(5_000, now_ms=NOW)[-1]
    assert Sequencer(3, after=last).take(1, now_ms=NOW - 10_000)[0] > last
    assert Sequencer(3, after=last).take(1, now_ms=NOW + 10_000)[0] >> SEQ_SHIFT == NOW + 10_000 - EPOCH_MS


def test_writers_have_numbers_of_their_own():
    assert writer_number("host:a") != writer_number("host:b")
    assert writer_number("host:a") == writer_number("host:a") < 1024
    assert not set(Sequencer(1).take(9_000, now_ms=NOW)) & set(Sequencer(2).take(9_000, now_ms=NOW))


@given(st.text())
def test_any_text_has_a_second_that_a_column_holds(text):
    assert 0 <= second_of(text) < 2**32


def test_the_second_of_an_id_goes_up_with_it():
    ids = [uuid7() for _ in range(3)]
    assert [second_of(each) for each in ids] == [id_millis(each) // 1000 for each in ids]
    assert second_of("ffffffff-ffff-7fff-bfff-ffffffffffff") == 2**32 - 1


def test_an_end_wins_over_what_was_interrupted_and_this_over_a_beginning():
    start = begun()
    known = {"id": start.inference.id, "stream": True}
    versions = [
        blocks(record, now_ms=now)["inferences"][0]["version"][0]
        for record, now in [
            (start, NOW),
            (inferred(**known, status="interrupted"), NOW + 9),
            (inferred(**known), NOW + 99),
            (inferred(**known), NOW + 9),
        ]
    ]
    assert versions == sorted(versions) and len(set(versions)) == 4


def test_of_equals_the_first_stays():
    record, judged = inferred(), feedback("t")
    early, late = blocks(record, judged), blocks(record, judged, now_ms=NOW + 1)
    for table in early:
        assert early[table][0]["version"][0] > late[table][0]["version"][0], table


def test_a_token_is_that_of_the_rows_and_not_of_their_numbers():
    record, other = inferred(), inferred()
    first, again, more = blocks(record), blocks(record, now_ms=NOW + 9), blocks(record, other)
    assert {table: token for table, (_, token) in first.items()} == {
        table: token for table, (_, token) in again.items()
    }
    tokens = [token for _, token in first.values()] + [token for _, token in more.values()]
    assert len(set(tokens)) == 8


def test_a_stream_that_begins_and_ends_in_one_batch_is_one_row():
    start = begun(input=b"early")
    end = inferred(id=start.inference.id, stream=True)
    for records in ((start, end), (end, start), (start, end, start)):
        made = blocks(*records)
        assert made["inferences"][0]["status"] == ["ok"] or made["inferences"][0]["status"] == ("ok",)
        assert list(made["inference_data"][0]["input"]) == [end.inference.input]


def test_payloads_come_before_what_they_belong_to():
    record = inferred()
    made = list(blocks(record, feedback("t"), SnapshotRecord("h", b"{}", "1"), Shed(3)))
    assert made.index("inference_data") < made.index("inferences")
    assert made.index("model_inference_data") < made.index("model_inferences") < made.index("inferences")
    assert blocks(Shed(1)) == {}


def test_a_row_without_payload_has_none_beside_it():
    nothing = inferred(input=None, output=None, output_schema=None)
    assert "inference_data" not in blocks(nothing)
    # A stream's end takes away what its beginning brought.
    assert "inference_data" in blocks(inferred(stream=True, input=None, output=None, output_schema=None))


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_that_no_column_takes_is_found_before_it_is_sent(number):
    with pytest.raises(RowsRefused, match=r"inferences\.input_tokens"):
        blocks(inferred(), inferred(input_tokens=number))
    assert blocks(inferred(input_tokens=2**63 - 1))
