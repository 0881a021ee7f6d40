"""Whatever a gateway, or what stands in its place, answers: a value or one of our errors, never anything else."""

from contextlib import suppress

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from calibrant.client import ClientError, GatewayError, GetDatapointsResponse, GetInferencesResponse
from calibrant.client.batches import get_batch_inference
from calibrant.client.blocks import reader
from calibrant.client.call import Call
from calibrant.client.inference import read_chunk, read_inference
from calibrant.client.retry import Answered, Retry, pause_before_next, refusal_of

NAMES = ["type", "content", "output", "error", "message", "code", "error_json", "raw", "usage", "input", "messages",
         "inferences", "datapoints", "dispreferred_outputs", "status", "id", "data", "text", "chat"]  # fmt: skip
leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.sampled_from([*NAMES, "json", "tool_call", "unknown", "thought", "completed"]) | st.text(max_size=5)
values = st.recursive(
    leaves | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=25,
)
bodies = st.one_of(values.map(msgspec.json.encode), st.binary(max_size=30))
CALL = Call(method="POST", path="/inference?x=1", repeat="always", read=bytes)
READERS = (
    read_inference,
    read_chunk,
    reader(GetInferencesResponse),
    reader(GetDatapointsResponse),
    get_batch_inference(batch_id="b").read,
)


@given(bodies)
def test_bodies(body):
    for read in READERS:
        with suppress(ClientError):
            read(body)


@given(st.integers(300, 599), bodies)
def test_errors(status, body):
    error = refusal_of(CALL, Answered(status, {}, body), now_s=0.0)
    assert isinstance(error, GatewayError)
    assert error.status == status
    assert error.code
    assert str(error).startswith(f"POST /inference: {status}: ")


stamps = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Sat", "Mon", "", "Foo"]),
    st.integers(-1, 40),
    st.sampled_from(["Nov", "Feb", "13", ""]),
    st.sampled_from([0, 26, 2026, 9999, 99999]),
    *[st.integers(-1, 70)] * 3,
    st.sampled_from(["GMT", "-0000", "+9999", ""]),
)


@given(st.text(max_size=20) | st.from_regex(r"[0-9.]{1,12}") | stamps, st.text(max_size=5) | stamps, st.floats(0, 1))
def test_no_header_makes_a_pause_that_nobody_wants(retry_after, date, draw):
    retry = Retry()
    outcome = Answered(429, {"retry-after": retry_after, "date": date}, b"")
    pause = pause_before_next(CALL, outcome, made=1, retry=retry, draw=draw, now_s=1.8e9)
    assert pause is None or 0 <= pause <= retry.max_retry_after_s
