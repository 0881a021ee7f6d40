"""What is said can be read again."""

import numpy as np
import pytest

from calibrant.demo.simlm.items import answers_of
from calibrant.demo.simlm.parameters import Model, Parameters, Rule
from calibrant.demo.simlm.reply import Said, compose, options_of, read_reply, words_of

WORLD = Parameters(rules={"long": Rule(phrase="at length", words=40)}, models={"m": Model(words=10)})
MANY = np.arange(20_000)


@pytest.mark.parametrize("words", [0, 1, 40])
@pytest.mark.parametrize("family", ["", "sim-2"])
@pytest.mark.parametrize("json", [False, True])
def test_what_is_said_is_read(words, family, json):
    assert read_reply(compose("birch", words, family, json=json)) == Said("birch", words, family)


def test_without_anything_to_say_an_answer_is_one_word():
    assert compose("birch", 0, "") == "birch"
    assert compose("birch", 0, "", json=True) == '{"answer":"birch"}'
    assert compose("birch", 3, "sim") == "[sim] the task names Answer: birch"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Birch.", Said("birch", 0, "")),
        ("It is surely birch", Said("birch", 3, "")),
        ("Answer: elm, no. Answer: birch", Said("birch", 3, "")),
        ('{"answer": " BIRCH ", "more": 1}', Said("birch", 0, "")),
        ('{"other": 1}', Said("1", 1, "")),
        ("", Said("", 0, "")),
        ("...", Said("", 0, "")),
        ("[" * 5000, Said("", 0, "")),
    ],
)
def test_any_text_is_read(text, said):
    assert read_reply(text) == said


def test_wrong_answers_are_wrong_and_of_every_kind():
    right = options_of(WORLD, MANY, "p", np.ones(MANY.size, dtype=bool))
    wrong = options_of(WORLD, MANY, "p", np.zeros(MANY.size, dtype=bool))
    assert (right == answers_of(WORLD, MANY)).all() and (right != wrong).all()
    assert np.bincount((wrong - right) % 8)[1:] == pytest.approx(np.full(7, 20_000 / 7), abs=250)
    assert (wrong == options_of(WORLD, MANY, " p ", np.zeros(MANY.size, dtype=bool))).all()


def test_length_is_that_of_the_model_and_of_rules():
    assert words_of(WORLD, MANY, "", "m").mean() == pytest.approx(10, abs=0.1)
    assert words_of(WORLD, MANY, "Explain AT LENGTH", "m").mean() == pytest.approx(50, abs=0.5)
