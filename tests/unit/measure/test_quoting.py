"""What prompts quote of the data, and what is too short or too common to say so."""

import re
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.measure.leakage import folded
from calibrant.measure.quoting import answers_in, copied_in

PROMPT = "You extract names. Example: the answer to the riddle is a\n wooden  HORSE of Troy. Be brief."
ROW = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def filler(n):
    return [f"nothing of it {i}" for i in range(n)]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("A wooden horse of Troy", True),
        ("a  wooden\thorse", True),
        ("a: [wooden], 'horse'", True),
        ("a wooden hors", False),
        ("wooden", False),
        ("a silver horse", False),
        ("", False),
        (None, False),
    ],
)
def test_an_answer_stands_in_a_prompt(answer, found):
    quotes = answers_in(["Nothing here.", PROMPT], [*filler(5), answer])
    assert [(each.item, each.prompt) for each in quotes] == ([(5, 1)] if found else [])


def test_what_an_answer_says_of_itself():
    (quote,) = answers_in([PROMPT], ["A wooden HORSE"])
    assert (quote.words, quote.text) == (3, "a wooden horse")


def test_digits_of_an_answer_count():
    assert answers_in(["It costs 1234567.89 dollars."], ["1234567.88 dollars", "1234567.89 dollars"])[0].item == 1


@pytest.mark.parametrize(
    ("held", "of", "found"), [(2, 10, 2), (3, 10, 0), (3, 300, 0), (3, 301, 3), (10, 1000, 0), (9, 1000, 9)]
)
def test_an_answer_of_many_items_is_a_label(held, of, found):
    answers = ["a wooden horse"] * held + filler(of - held)
    assert len(answers_in([PROMPT], answers)) == found


def test_words_that_were_copied():
    prompt = f"Rules. {' '.join(ROW)} End."
    texts = [" ".join(ROW[:7]), "x " + ", ".join(ROW[1:9]).upper() + " y", " ".join(ROW), "one"]
    quotes = copied_in(["none", prompt], texts)
    assert [(each.item, each.prompt, each.words) for each in quotes] == [(1, 1, 8), (2, 1, 10)]
    assert quotes[0].text == " ".join(ROW[1:9])
    assert copied_in([], texts) == [] == copied_in([prompt], [])


@pytest.mark.parametrize(("held", "of", "found"), [(2, 10, 2), (3, 10, 0), (3, 301, 3)])
def test_words_of_many_items_are_a_phrase(held, of, found):
    phrase = " ".join(ROW)
    assert len(copied_in([phrase], [phrase] * held + filler(of - held))) == found


def test_a_phrase_of_all_does_not_hide_what_is_of_one():
    phrase, own = (
        "please answer this question about the product that we sell:",
        "why is the left lamp of mine so very red",
    )
    texts = [f"{phrase} {own}", *(f"{phrase} number {i}" for i in range(20))]
    (quote,) = copied_in([f"For example {phrase} {own}"], texts)
    assert (quote.item, quote.words) == (0, 17)
    assert quote.text.endswith(own)


@given(st.lists(st.sampled_from("abcd"), max_size=40), st.lists(st.sampled_from("abcd"), max_size=24))
def test_the_longest_row_is_that_of_a_plain_search(text, prompt):
    match = SequenceMatcher(None, text, prompt, autojunk=False).find_longest_match()
    quotes = copied_in([" ".join(prompt)], [" ".join(text)])
    assert [each.words for each in quotes] == ([match.size] if match.size >= 8 else [])


@given(st.text(max_size=30), st.text(max_size=80), st.text(max_size=30))
def test_any_answer_is_found_where_it_was_put(before, answer, after):
    told = " ".join(re.findall(r"\w+", folded(answer)))
    quotes = answers_in([f"{before}\n{answer}\n{after}"], [answer])
    assert [each.text for each in quotes] == ([told] if len(told) >= 12 else [])
