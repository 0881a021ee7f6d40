"""Whatever a vendor's batch interface answers, its codec returns something well-formed or raises a provider's error."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.catalog import batcher
from calibrant.types.call import BatchCall, BatchEnd, Exchange, HttpCall

pytestmark = pytest.mark.slow

OPTIONS = {"location": "l", "project_id": "p", "batch_input": "gs://in", "batch_output": "gs://out"}
BATCHERS = {
    "openai": batcher(Provider("p", "openai", "m")),
    "anthropic": batcher(Provider("p", "anthropic", "m")),
    "gcp_vertex_gemini": batcher(Provider("p", "gcp_vertex_gemini", "m", options=OPTIONS)),
}
KEYS = [
    "id",
    "status",
    "output_file_id",
    "error_file_id",
    "errors",
    "data",
    "message",
    "line",
    "processing_status",
    "cancel_initiated_at",
    "custom_id",
    "result",
    "type",
    "error",
    "response",
    "status_code",
    "body",
    "request_id",
    "name",
    "state",
    "outputInfo",
    "gcsOutputDirectory",
    "items",
    "nextPageToken",
    "request",
    "labels",
    "calibrant-inference-id",
]
WORDS = [
    *("completed", "failed", "expired", "cancelled", "ended", "succeeded", "errored", "JOB_STATE_SUCCEEDED", "a.jsonl"),
    *("gs://out/x", "gs://elsewhere", "../..", "id-1", "é\0?#/"),
]
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(WORDS) | st.text()
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
)
plausible = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(KEYS, documents),
        **dict.fromkeys(("id", "custom_id", "name", "output_file_id"), st.sampled_from(WORDS)),
        **dict.fromkeys(("status", "processing_status", "state"), st.sampled_from(WORDS)),
        "outputInfo": st.fixed_dictionaries({"gcsOutputDirectory": st.sampled_from(WORDS)}),
        "items": st.lists(st.fixed_dictionaries({"name": st.sampled_from(WORDS)}), max_size=2),
        "result": st.fixed_dictionaries({"type": st.sampled_from(WORDS), "message": documents, "error": documents}),
        "response": st.fixed_dictionaries({"status_code": st.integers(), "body": documents}) | documents,
        "request": st.fixed_dictionaries({"labels": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(WORDS))}),
    },
)
bodies = st.binary(max_size=60) | st.lists(documents | plausible, max_size=3).map(
    lambda lines: b"\n".join(msgspec.json.encode(line) for line in lines)
)
answers = st.builds(Exchange, st.sampled_from((200, 200, 200, 200, 404, 500, 302)), st.just(()), bodies)


def play(steps, given_answers):
    """What the steps return, or the error of the provider that they raise; null where they ask for more."""
    try:
        http = next(steps)
        for answer in given_answers:
            assert isinstance(http, HttpCall) and http.url.startswith("https://") and http.url.isascii()
            assert not any(char in http.url for char in " \0\n\r#")
            http = steps.send(answer)
    except StopIteration as ended:
        return ended.value
    except ProviderError as error:
        return error
    return None


@pytest.mark.parametrize("kind", BATCHERS)
@given(st.lists(answers, min_size=1, max_size=6))
def test_any_answer_to_a_poll(kind, given_answers):
    end = play(BATCHERS[kind].poll("id/../x"), given_answers)
    assert end is None or isinstance(end, BatchEnd | ProviderError)
    if isinstance(end, BatchEnd):
        assert end.problem
        for line in end.lines:
            assert isinstance(line.id, str) and (line.answer is not None or line.problem)
            assert line.answer is None or isinstance(line.answer.body, bytes)


@pytest.mark.parametrize("kind", BATCHERS)
@given(st.lists(answers, min_size=1, max_size=3), st.text(max_size=20))
def test_any_answer_to_a_submission(kind, given_answers, words):
    calls = [BatchCall("id-1", msgspec.json.encode({"text": words}))]
    done = play(BATCHERS[kind].submit(calls), given_answers)
    assert done is None or isinstance(done, str | ProviderError)


@pytest.mark.parametrize("kind", BATCHERS)
@given(answers)
def test_any_answer_to_a_cancellation(kind, answer):
    done = play(BATCHERS[kind].cancel("x"), [answer])
    assert done is None or isinstance(done, ProviderError)
