from __future__ import annotations

import pytest
from tests.contract.providers.dialects.bedrock_answers import BEGUN, delta, stopped

from calibrant.base.errors import BadAnswer, Refused, Truncated
from calibrant.providers.bedrock_stream import ConverseStreamDecoder
from calibrant.testing.eventstream import encode_exception


def made() -> ConverseStreamDecoder:
    return ConverseStreamDecoder("p", "aws_bedrock", json_tool=False, discard_unknown=False)


THROTTLED = encode_exception("throttlingException", {"message": "Slow down."})


def test_an_error_of_the_stream_is_not_swallowed() -> None:
    # Portkey's gateway did: Portkey-AI/gateway#1142.
    decoder = made()
    assert len(decoder.feed(BEGUN + THROTTLED + delta(0, text="x"))) == 2
    for again in (lambda: decoder.feed(delta(0, text="y")), decoder.close, decoder.close):
        with pytest.raises(Refused, match="ThrottlingException: Slow down.") as caught:
            again()
        assert caught.value.retryable
        assert caught.value.raw_response == b'{"message":"Slow down."}'


def test_an_error_that_comes_alone_is_raised_at_once() -> None:
    decoder = made()
    decoder.feed(BEGUN)
    with pytest.raises(Refused, match="Slow down"):
        decoder.feed(THROTTLED)


def test_an_error_before_a_fault_is_the_one_that_is_told() -> None:
    decoder = made()
    with pytest.raises(Refused):
        decoder.feed(THROTTLED + b"\0" * 12)


def test_what_is_no_event_stream_is_held_up_to_a_limit() -> None:
    decoder = made()
    for _ in range(100):
        assert decoder.feed(b"<" * 1000) == []
    with pytest.raises(BadAnswer, match="not an event stream") as caught:
        decoder.close()
    assert len(caught.value.raw_response) == 4096


def test_nothing_at_all() -> None:
    decoder = made()
    assert decoder.feed(b"") == []
    with pytest.raises(Truncated):
        decoder.close()


def test_half_a_message_behind_the_end_is_not_missed() -> None:
    decoder = made()
    decoder.feed(BEGUN + stopped("end_turn") + delta(0, text="x")[:20])
    assert decoder.close() == []
