"""Nearest texts: against scikit-free arithmetic, and what must hold of any texts."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.measure import neighbours
from calibrant.measure.neighbours import HashedTexts, Vectors

TEXTS = ["the cat sat on the mat", "a dog lay on the rug", "stock prices fell again", "the cat sat on the red mat"]


def by_hand(texts, asked):
    """The same cosine from plain dictionaries."""
    counts = [Counter(neighbours._counts(text)) for text in texts]
    held = Counter(place for each in counts for place in each)
    idf = {place: math.log((1 + len(texts)) / (1 + held[place])) + 1 for each in counts for place in each}
    unseen = math.log(1 + len(texts)) + 1

    def vector(each):
        weighed = {place: (1 + math.log(n)) * idf.get(place, unseen) for place, n in each.items()}
        length = math.sqrt(sum(value**2 for value in weighed.values()))
        return {place: value / length for place, value in weighed.items()}

    question = vector(Counter(neighbours._counts(asked)))
    return [sum(value * question.get(place, 0.0) for place, value in vector(each).items()) for each in counts]


@pytest.mark.parametrize("asked", [*TEXTS, "the cat", "unheard of", ""])
def test_cosines_of_hashed_texts(asked):
    assert np.allclose(HashedTexts(TEXTS).similarities(asked), by_hand(TEXTS, asked), atol=1e-5)


def test_the_nearest_is_what_shares_most():
    order = (-HashedTexts(TEXTS).similarities("the cat sat on a mat")).argsort()
    assert set(order[:2]) == {0, 3} and order[-1] == 2


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6), st.text(max_size=30))
def test_every_text_is_nearest_to_itself(texts, other):
    index = HashedTexts(texts)
    for place, text in enumerate(texts):
        similarities = index.similarities(text)
        assert similarities[place] == pytest.approx(1, abs=1e-4) and similarities.max() <= 1.0001
    assert np.all(index.similarities(other) >= -1e-6)


def test_cosines_of_vectors():
    index = Vectors([(3.0, 4.0), (0.0, 2.0), (-1.0, 0.0), (0.0, 0.0)])
    assert np.allclose(index.similarities((0.0, 5.0)), [0.8, 1.0, 0.0, 0.0], atol=1e-6)
    with pytest.raises(ValueError, match="among vectors of 2"):
        index.similarities((1.0, 2.0, 3.0))
