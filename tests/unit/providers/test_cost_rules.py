"""Configured prices, against TensorZero's rules (docs: gateway configuration reference, `cost`)."""

import tracemalloc
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.config.schema import CostRule
from calibrant.providers.cost_rules import CostRules

IN = ("usage", "prompt_tokens")
OUT = ("usage", "completion_tokens")
CACHED = ("usage", "prompt_tokens_details", "cached_tokens")


def rules(*entries):
    return CostRules([CostRule(steps, steps, Decimal(rate), *required) for steps, rate, *required in entries])


def body(**usage):
    return msgspec.json.encode({"id": "x", "choices": [{"message": {"content": '"prompt_tokens"'}}], "usage": usage})


def cost(made, *lines, stream=False):
    return made.cost(b"\n".join(lines), stream=stream)[0]


def test_numbers_times_prices():
    made = rules((IN, "0.0000025", True), (OUT, "0.00001"), (CACHED, "-0.00000125"))
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 200}}
    assert cost(made, body(**usage)) == "0.00235"


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"prompt_tokens": "7"}, {"prompt_tokens": True}])
def test_a_missing_number_counts_nothing_unless_it_is_required(usage):
    assert cost(rules((IN, "1"), (OUT, "1")), body(completion_tokens=2, **usage)) == "2"
    assert cost(rules((IN, "1", True), (OUT, "1")), body(completion_tokens=2, **usage)) is None


def test_less_than_nothing_is_no_cost():
    made = rules((IN, "0.5"), (CACHED, "-1"))
    data = body(prompt_tokens=1, prompt_tokens_details={"cached_tokens": 2})
    assert made.cost(data, stream=False) == (None, Decimal("-1.5"))
    assert cost(rules((IN, "0.5")), body(prompt_tokens=0)) == "0"


def test_a_stream_takes_the_largest_of_each():
    events = [body(prompt_tokens=3), body(prompt_tokens=5, completion_tokens=1), b'{"usage":null}', b"[DONE]"]
    events += [body(prompt_tokens=4, completion_tokens=9), b'{"usage":{"prompt_tokens":']
    made = rules((IN, "1", True), (OUT, "10", True))
    assert cost(made, *events, stream=True) == "95"
    assert cost(made, *events[:1], stream=True) is None


def test_streams_and_whole_answers_may_have_pointers_of_their_own():
    made = CostRules([CostRule(("usage", "n"), ("message", "usage", "n"), Decimal(1), True)])
    assert cost(made, b'{"usage":{"n":2}}') == "2"
    assert cost(made, b'{"message":{"usage":{"n":3}}}', stream=True) == "3"
    assert cost(made, b'{"usage":{"n":2}}', stream=True) is None


@pytest.mark.parametrize(
    ("steps", "data", "expected"),
    [
        (("a", "1", "n"), b'{"a":[{"n":1},{"n":2}]}', "2"),
        (("a", "9"), b'{"a":[1]}', None),
        (("a", "-1"), b'{"a":[1]}', None),
        (("a", "9" * 5000), b'{"a":[1]}', None),
        (("a", "b"), b'{"a":3}', None),
        (("a/b", "~"), b'{"a/b":{"~":4}}', "4"),
        (("", "x"), b'{"":{"x":5}}', "5"),
        (("ü", "n"), b'{"\\u00fc":{"n":6}}', "6"),
        (("n",), b'{"n":0.1}', "0.1"),
        (("n",), b'{"n":1e-3}', "0.001"),
        (("n",), b'{"n":1e999999999}', None),
        (("n",), b'{"n":' + b"9" * 200 + b"}", None),
        (("n",), b"[1]", None),
        (("n",), b"\xff", None),
        (("n",), b"", None),
        (("a", "n"), b'{"a":' + b"[" * 5000, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_pointers(steps, data, expected, stream):
    assert cost(rules((steps, "1", True)), data, stream=stream) == expected


@given(
    numbers=st.lists(st.tuples(st.integers(0, 10**12), st.decimals(-100, 100, places=9)), min_size=1, max_size=4),
)
def test_it_is_the_decimal_sum(numbers):
    made = rules(*[(("n", f"k{i}"), str(rate)) for i, (_, rate) in enumerate(numbers)])
    data = msgspec.json.encode({"n": {f"k{i}": n for i, (n, _) in enumerate(numbers)}})
    expected = sum(n * rate for n, rate in numbers)
    found, negative = made.cost(data, stream=False)
    assert (None if found is None else Decimal(found)) == (None if expected < 0 else expected)
    assert negative == (expected if expected < 0 else None)


@given(data=st.binary(max_size=200), stream=st.booleans())
def test_nothing_is_raised(data, stream):
    made = rules((IN, "1"), (("n",), "1"))
    made.cost(data, stream=stream)
    made.cost(b'{"n":' + data + b"}", stream=stream)
    made.cost(b'{"usage":{"prompt_tokens":' + data, stream=stream)


def test_a_huge_number_is_not_written_out():
    tracemalloc.start()
    rules((("n",), "1")).cost(b'{"n":1e9999999}', stream=False)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
