import pytest

from calibrant.base.errors import InferenceTimeout, InternalError, Refused, Unreachable
from calibrant.config.schema import Provider
from calibrant.config.secret import AwsKeys, Secret
from calibrant.engine.compiled import CompiledProvider
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.limits import Limit
from calibrant.types.reply import Reply, Usage


def call(**changes):
    provider = CompiledProvider(Provider("p", "openai"), None)
    return ProviderCall("v", "m", provider, Limit(99, "g"), 1.0, **changes)


def test_what_a_call_was_signed_with_is_struck_out_of_its_error():
    keys = AwsKeys(Secret("canary-id"), Secret("canary-key"), Secret("canary-session"))
    error = Refused("canary-id is no key", raw_response=b'{"said":"canary-session"}')
    assert call(secret=keys).discreet(error) is error
    assert (error.message, error.raw_response) == ("*** is no key", b'{"said":"***"}')
    late, odd = InferenceTimeout("late"), Refused("\ud800 odd")
    assert call(secret=keys).discreet(late) is late and call().discreet(odd).message == "\ud800 odd"
    assert call(secret=Secret("x")).discreet(odd).message == "\ud800 odd"
    assert "canary" not in repr(call(secret=keys))


def test_calls_are_numbered_and_their_time_adds_up():
    journal = Journal("i")
    journal.failed(call(), Unreachable("x"), 1.25)
    journal.succeeded(call(), Reply((), Usage(), "stop"), 1.5)
    assert [(row.attempt, row.response_ms) for row in journal.rows] == [(1, 250), (2, 500)]
    assert journal.upstream_s == 0.75


def test_two_journals_share_nothing():
    one, other = Journal("a"), Journal("b")
    one.failed(call(), Unreachable("x"), 2)
    one.failures.append("x")
    one.durations["x"] = 1
    assert (other.rows, other.failures, other.durations) == ([], [], {})


@pytest.mark.parametrize(
    ("error", "first", "status"),
    [
        (Refused("no", upstream_status=429), None, 429),
        (Unreachable("gone"), None, None),
        (InferenceTimeout("late"), None, None),
        (Refused("no", upstream_status=429), 1.5, 200),
        (InferenceTimeout("late"), 1.5, 200),
        (InternalError("ours"), 1.5, 200),
    ],
)
def test_the_providers_status_is_kept_as_far_as_it_came(error, first, status):
    journal = Journal("i")
    journal.failed(call(first_chunk=first), error, 2)
    assert journal.rows[0].http_status == status
    assert journal.rows[0].ttft_ms == (None if first is None else 500)


def test_what_had_arrived_of_a_broken_stream_is_kept_with_its_tokens():
    journal = Journal("i")
    partial = Reply((), Usage(input_tokens=4), None, raw=b"half")
    journal.failed(call(first_chunk=1.5), Refused("no", raw_response=b"error"), 2, partial=partial)
    row = journal.rows[0]
    assert (row.raw_response, row.input_tokens, row.usage_source, row.status) == (b"half", 4, "partial", "error")
