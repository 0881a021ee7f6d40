"""Bodies of questions for recorded inferences: whatever comes is a question that SQLite can answer, or a 400."""

from contextlib import suppress
from datetime import UTC

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.homes import sqlite_home

from calibrant.base.errors import InvalidRequest
from calibrant.config.schema import Metric
from calibrant.wire.inferences import decode_get, decode_list

METRICS = {
    "good": Metric("good", "boolean", "max", "inference"),
    "stars": Metric("stars", "float", "max", "episode"),
}
ID = "019c8f00-0000-7000-8000-00000000000a"
words = st.sampled_from(["good", "stars", "=", "!=", "<", ID, "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", ""])
anything = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words | st.text()
)
kinds = st.sampled_from(
    ["and", "or", "not", "boolean_metric", "float_metric", "tag", "time", "demonstration_feedback", "none"]
)


def filters(inner):
    return st.fixed_dictionaries(
        {"type": kinds},
        optional={
            "children": st.lists(inner, max_size=3),
            "child": inner,
            "metric_name": words,
            "value": anything,
            "comparison_operator": words,
            "key": words | st.text(),
            "time": words,
            "has_demonstration": anything,
        },
    )


tree = st.recursive(anything, filters, max_leaves=5)
fitting = st.recursive(
    st.fixed_dictionaries({"type": st.just("boolean_metric"), "metric_name": st.just("good"), "value": st.booleans()})
    | st.fixed_dictionaries(
        {
            "type": st.just("tag"),
            "key": st.text(),
            "value": st.text(),
            "comparison_operator": st.sampled_from(["=", "!="]),
        }
    )
    | st.fixed_dictionaries(
        {
            "type": st.just("time"),
            "time": st.datetimes(timezones=st.just(UTC)),
            "comparison_operator": st.sampled_from(["=", "!=", "<", ">="]),
        }
    ),
    lambda inner: (
        st.fixed_dictionaries({"type": st.sampled_from(["and", "or"]), "children": st.lists(inner)})
        | st.fixed_dictionaries({"type": st.just("not"), "child": inner})
    ),
    max_leaves=8,
)
bodies = st.dictionaries(
    st.sampled_from(["function_name", "before", "after", "limit", "offset", "output_source", "include_failed", "ids"]),
    anything,
    max_size=2,
)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    with sqlite_home(tmp_path_factory.mktemp("home")) as fresh:
        yield fresh()


@given(bodies, st.none() | tree | fitting, st.none() | words | st.text())
def test_any_body_is_answered_or_refused(events, body, asked, text):
    whole = msgspec.json.encode(body | {"filters": asked, "search_query_experimental": text})
    with suppress(InvalidRequest):
        assert events.find(decode_list(whole, METRICS).query) == ()
    with suppress(InvalidRequest):
        assert events.get(decode_get(msgspec.json.encode(body)).ids) == ()
