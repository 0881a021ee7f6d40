"""Nearest texts: against scikit-free arithmetic, and what must hold of any texts."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.measure.neighbours import HashedTexts, Vectors, counted

TEXTS = ["the cat sat on the mat", "a dog lay on the rug", "stock prices fell again", "the cat sat on the red mat"]


def index_of(texts):
    return HashedTexts([counted(text) for text in texts])


def by_hand(texts, asked):
    """The same cosine from plain dictionaries."""
    logs = [dict(zip(*map(np.ndarray.tolist, counted(text)), strict=True)) for text in texts]
    held = Counter(place for each in logs for place in each)
    idf = {place: math.log((1 + len(texts)) / (1 + held[place])) + 1 for place in held}
    unseen = math.log(1 + len(texts)) + 1

    def vector(each):
        weighed = {place: log * idf.get(place, unseen) for place, log in each.items()}
        length = math.sqrt(sum(value**2 for value in weighed.values()))
        return {place: value / length for place, value in weighed.items()}

    question = vector(dict(zip(*map(np.ndarray.tolist, counted(asked)), strict=True)))
    return [sum(value * question.get(place, 0.0) for place, value in vector(each).items()) for each in logs]


def test_a_text_counts_by_its_words_and_grams():
    # The word "ab", and the grams " ab", "ab " and " ab " of " ab ab ", come twice; six other grams come once.
    places, logs = counted("AB  ab")
    assert len(places) == 10 and len(set(places.tolist())) == len(places)
    assert np.sum(np.isclose(logs, 1 + math.log(2))) == 4 and np.sum(np.isclose(logs, 1)) == 6
    for text in ("", "a", "\ud800"):
        assert len(counted(text)[0])


def test_an_index_gives_back_its_rows_for_the_next():
    index = index_of(TEXTS)
    again = HashedTexts([*map(index.row, range(len(TEXTS))), counted("another text")])
    assert np.array_equal(again.similarities(TEXTS[1]), index_of([*TEXTS, "another text"]).similarities(TEXTS[1]))


@pytest.mark.parametrize("asked", [*TEXTS, "the cat", "unheard of", ""])
def test_cosines_of_hashed_texts(asked):
    assert np.allclose(index_of(TEXTS).similarities(asked), by_hand(TEXTS, asked), atol=1e-5)


def test_the_nearest_is_what_shares_most():
    order = (-index_of(TEXTS).similarities("the cat sat on a mat")).argsort()
    assert set(order[:2]) == {0, 3} and order[-1] == 2


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6), st.text(max_size=30))
def test_every_text_is_nearest_to_itself(texts, other):
    index = index_of(texts)
    for place, text in enumerate(texts):
        similarities = index.similarities(text)
        assert similarities[place] == pytest.approx(1, abs=1e-4) and similarities.max() <= 1.0001
    assert np.all(index.similarities(other) >= -1e-6)


def test_cosines_of_vectors():
    index = Vectors(np.array([(3.0, 4.0), (0.0, 2.0), (-1.0, 0.0), (0.0, 0.0)], dtype=np.float32))
    assert np.allclose(index.similarities((0.0, 5.0)), [0.8, 1.0, 0.0, 0.0], atol=1e-6)
    with pytest.raises(ValueError, match="among vectors of 2"):
        index.similarities((1.0, 2.0, 3.0))
