"""Items: their texts say which they are, and no more."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.errors import InvalidRequest
from calibrant.demo.simlm.items import answers_of, injected_in, read_task, text_of
from calibrant.demo.simlm.parameters import Injection, Parameters
from calibrant.measure.leakage import jaccard, shingles

WORLD = Parameters(seed=2, cluster_size=7, types={"a": 1.0, "b": 1.0}, injection=Injection(share=0.5))
WORDS = st.text(st.characters(exclude_characters="[]"), max_size=40).map(str.strip)


@given(st.integers(0, 10**15), WORDS, WORDS)
def test_an_item_is_found_in_what_was_told(item, before, after):
    found = read_task(WORLD, f"{before}\n{text_of(WORLD, item)}\n{after}")
    assert found.item == item
    assert found.rest.split() == f"{before} {after}".split()


def test_a_changed_text_keeps_its_key_and_the_last_item_counts():
    assert read_task(WORLD, "Rules. [item 8 of group 1] Changed.").rest == "Rules.  Changed."
    told = f"{text_of(WORLD, 3)} is an example; now: {text_of(WORLD, 8)}"
    found = read_task(WORLD, told)
    assert found.item == 8 and text_of(WORLD, 3) in found.rest


@pytest.mark.parametrize("told", ["", "item 8 of group 1", "[item 8 of group 2]", "[item x of group 1]"])
def test_no_item_of_this_world(told):
    with pytest.raises(InvalidRequest, match="item"):
        read_task(WORLD, told)


def test_texts_differ_and_do_not_give_the_answer_away():
    texts = [text_of(WORLD, item) for item in range(50)]
    assert len(set(texts)) == 50
    assert texts == [text_of(WORLD, item) for item in range(50)]
    answers = answers_of(WORLD, np.arange(50_000))
    assert np.bincount(answers) == pytest.approx(np.full(8, 6250), abs=400)
    assert all(option in texts[0] for option in WORLD.options)
    # Nor does an answer go with the item before it.
    assert np.mean(answers[1:] == answers[:-1]) == pytest.approx(1 / 8, abs=0.01)


@pytest.mark.parametrize("injected", [0.0, 1.0])
def test_no_two_items_are_nearly_the_same(injected):
    world = Parameters(injection=Injection(share=injected))
    made = [shingles(text_of(world, item)) for item in range(60)]
    assert max(jaccard(a, b) for a, b in combinations(made, 2)) < 0.5


def test_some_texts_speak_to_whoever_grades_them():
    injected = injected_in(WORLD, np.arange(200))
    assert 70 < injected.sum() < 130
    for item in range(200):
        assert (WORLD.injection.text in text_of(WORLD, item)) == injected[item]
