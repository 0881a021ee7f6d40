"""The assistant: sensible on what it knows, honest about the rest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.demo.assistant import calculate, read_answers, reply
from calibrant.demo.corpus import Entities

ANSWERS = read_answers()


def say(text: str, found: Entities | None = None) -> str:
    return reply(text, ANSWERS, lambda _: found or Entities())


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Hello!", "Hello! I am the small local model"),
        ("hi there", "small local model"),
        ("What is Calibrant?", "LLMOps control plane"),
        ("Tell me about Calibrant, please.", "LLMOps control plane"),
        ("What can you do?", "I can say"),
        ("are you ChatGPT?", "no large language model"),
        ("How do I send feedback?", "/feedback"),
        ("how do I use OpenAI here?", "OPENAI_API_KEY"),
        ("Thanks!", "You are welcome."),
        ("What is 12 * (3 + 4)?", "12 * (3 + 4) = 84"),
    ],
)
def test_it_answers_what_it_knows(text: str, part: str) -> None:
    assert part in say(text)


@pytest.mark.parametrize("text", ["", "What is the capital of that?", "Write a haiku about rain.", "asdf", "7"])
def test_it_says_so_when_it_has_no_answer(text: str) -> None:
    assert say(text).startswith("I have no answer to that. I am a small local model")


def test_it_names_what_it_finds_in_any_other_sentence() -> None:
    found = Entities(person=("Ada Pell",), location=("Oslo", "Kyoto"))
    assert say("Ada Pell left Oslo for Kyoto.", found).endswith("person: Ada Pell; location: Oslo, Kyoto.")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("2+2", "2+2 = 4"),
        ("calculate 7 divided by 2", "7 / 2 = 3.5"),
        ("What's 0.1 + 0.2 = ?", "0.1 + 0.2 = 0.3"),
        ("3 \u00d7 -4", "3 * -4 = -12"),
        ("1 / 0", "Nothing can be divided by zero."),
        ("2 ** 900", None),
        ("9 // 2", None),
        ("(1 + 2", None),
        ("1(2)", None),
        ("12", None),
        ("1 + " * 40 + "1", None),
        ("__import__('os')", None),
        ("2024-01-01", None),
    ],
)
def test_sums_and_nothing_but_sums_are_done(text: str, answer: str | None) -> None:
    assert calculate(text) == answer


@settings(deadline=None)
@given(st.one_of(st.text(max_size=90), st.text(alphabet="0123456789+-*/(). ", max_size=90)))
def test_whatever_is_said_gets_an_answer(text: str) -> None:
    assert say(text)
