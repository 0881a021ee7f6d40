"""The two taggers learn, differ as they should, and are the same for the same seed."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.demo import gazetteer, perceptron
from calibrant.demo.corpus import Entities, Row, f1, load
from calibrant.demo.perceptron import _best, _learn, _sentence, features
from calibrant.demo.tokens import TAGS

CORPUS = load()


def rows(*pairs: tuple[str, Entities]) -> list[Row]:
    return [Row(text, entities, 0, "train") for text, entities in pairs]


def test_a_gazetteer_takes_the_longest_name_under_its_usual_kind() -> None:
    known = gazetteer.train(
        rows(
            ("Oslo is cold.", Entities(location=("Oslo",))),
            ("Oslo won.", Entities(organization=("Oslo",))),
            ("He likes Oslo.", Entities(location=("Oslo",))),
            ("Oslo Opera opened.", Entities(organization=("Oslo Opera",))),
        )
    )
    found = known.extract("The Oslo Opera in Oslo, not in Bergen")
    assert found == Entities(organization=("Oslo Opera",), location=("Oslo",))


def test_a_word_that_is_rarely_a_name_is_no_name() -> None:
    known = gazetteer.train(
        rows(
            ("May sings.", Entities(person=("May",))),
            ("May was wet.", Entities()),
            ("In May it rained, as May does.", Entities()),
        )
    )
    assert known.extract("May sings.") == Entities()


def test_taggers_that_learned_nothing_find_nothing() -> None:
    assert gazetteer.train([]).extract("Ada in Oslo") == Entities()
    assert perceptron.train([]).extract("Ada in Oslo") == Entities()


@pytest.mark.parametrize("text", ["", "   ", "\x00", "a" * 5000, "\u2028 \ufffd \U0001f600"])
def test_odd_text_is_read_without_harm(text: str) -> None:
    for tagger in (gazetteer.train(CORPUS.train[:50]), perceptron.train(CORPUS.train[:50], epochs=1)):
        assert tagger.extract(text).counts().total() <= 1


def test_the_perceptron_generalises_where_the_gazetteer_cannot() -> None:
    """Measured on the held-out rows of the sample: exact match 0.58 against 0.11."""
    scores = {}
    for tagger in (gazetteer.train(CORPUS.train), perceptron.train(CORPUS.train)):
        found = [(tagger.extract(row.text), row.entities) for row in CORPUS.validation]
        exact = np.mean([a.counts() == b.counts() for a, b in found])
        scores[type(tagger).__name__] = (exact, np.mean([f1(a, b) for a, b in found]))
    assert 0.05 < scores["Gazetteer"][0] < 0.25
    assert 0.45 < scores["Perceptron"][0] < 0.75
    assert scores["Perceptron"][1] > scores["Gazetteer"][1] + 0.2


def test_training_is_the_same_for_the_same_seed() -> None:
    a, b = (perceptron.train(CORPUS.train[:40], epochs=2, seed=4) for _ in range(2))
    assert a.ids == b.ids
    assert np.array_equal(a.emission, b.emission)


def test_the_kept_weights_are_the_average_over_all_steps() -> None:
    """The same updates in a plain loop that adds up the weights after each step."""
    learned = CORPUS.train[:5]
    ids: dict[str, int] = {"": 0}
    sentences = [_sentence(row, ids) for row in learned]
    emission, transition = np.zeros((len(ids), len(TAGS))), np.zeros((len(TAGS), len(TAGS)))
    sums = [np.zeros_like(emission), np.zeros_like(transition)]
    order = random.Random(7)
    for _ in range(3):
        for sentence in order.sample(sentences, len(sentences)):
            found = _best(emission[sentence.rows].sum(axis=1), transition)
            _learn(emission, transition, sentence, found, 1.0)
            sums[0] += emission
            sums[1] += transition
    tagger = perceptron.train(learned, epochs=3, seed=7)
    assert np.allclose(tagger.emission, sums[0] / 15)
    assert np.allclose(tagger.transition, sums[1] / 15)


def test_temperature_samples_and_the_seed_decides() -> None:
    tagger = perceptron.train(CORPUS.train)
    text = "Viktor Stone told Redwater Energy that Chile was cold."
    assert tagger.extract(text, temperature=2, seed=1) == tagger.extract(text, temperature=2, seed=1)
    assert len({str(tagger.extract(text, temperature=2, seed=seed)) for seed in range(20)}) > 3
    assert tagger.extract(text, temperature=1e-9, seed=5) == tagger.extract(text)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_viterbi_finds_what_brute_force_finds(length: int, tags: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, transition = rng.normal(size=(length, tags)), rng.normal(size=(tags, tags))

    def total(path) -> float:
        steps = sum(transition[a, b] for a, b in itertools.pairwise(path))
        return sum(scores[at, tag] for at, tag in enumerate(path)) + steps

    best = max(total(path) for path in itertools.product(range(tags), repeat=length))
    assert total(_best(scores, transition)) == pytest.approx(best)


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6))
def test_every_word_has_the_same_number_of_features(words: list[str]) -> None:
    found = features(words)
    assert len(found) == len(words)
    assert len({len(row) for row in found}) == 1
