import hashlib
import math
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.ids import uuid7
from calibrant.routing.assign import candidates, draw, point, probability

names = st.text(alphabet="abcdefgh", min_size=1, max_size=3)
weights = st.dictionaries(names, st.floats(0, 10, allow_nan=False), min_size=1, max_size=6)
units = st.floats(0, 1, exclude_max=True, allow_nan=False)


def test_the_point_is_the_first_four_bytes_of_sha256_over_name_and_raw_id():
    episode = "0192e14c-09b8-7d3e-8618-46aed8c213dc"
    digest = hashlib.sha256(b"extract_entities" + UUID(episode).bytes).digest()
    assert point("extract_entities", episode) == int.from_bytes(digest[:4], "big") / 2**32


@pytest.mark.parametrize(
    ("u", "chosen"), [(0.0, "a"), (0.2499, "a"), (0.25, "b"), (0.7499, "b"), (0.75, "c"), (0.99, "c")]
)
def test_the_draw_goes_through_the_names_in_their_order(u, chosen):
    assert draw(u, {"c": 1, "b": 2, "a": 1}) == chosen


@given(units, weights)
def test_a_variant_without_weight_is_never_drawn(u, w):
    chosen = draw(u, w)
    assert (chosen is None) == (sum(w.values()) <= 0)
    if chosen is not None:
        assert w[chosen] > 0


@given(units, weights, st.lists(names, max_size=3))
def test_each_variant_is_tried_once_and_fallbacks_come_last(u, w, fallbacks):
    tried = list(candidates(u, w, fallbacks))
    drawn = [name for name in w if w[name] > 0]
    assert set(tried) == set(drawn) | set(fallbacks)
    assert tried[: len(drawn)] == [name for name in tried if name in drawn][: len(drawn)]
    assert len([name for name in tried if name in drawn]) == len(drawn)


@given(weights)
def test_probabilities_sum_to_one(w):
    total = sum(probability(name, w) for name in w)
    assert total == 0 or math.isclose(total, 1)


def test_frequencies_match_the_weights():
    w = {"a": 1.0, "b": 3.0}
    n = 20_000
    seen = Counter(draw(point("f", uuid7()), w) for _ in range(n))
    # Five standard errors.
    assert abs(seen["a"] / n - 0.25) < 5 * math.sqrt(0.25 * 0.75 / n)
