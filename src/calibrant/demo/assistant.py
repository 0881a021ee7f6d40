"""A small assistant that is honest about its size: a list of answers, a calculator and a tagger of names.

It is what a first `curl` meets when there is no API key. It is deterministic, and says so when it has no
answer.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from importlib import resources
from math import log, sqrt

import msgspec
from msgspec import Struct

from calibrant.demo.corpus import KINDS, Entities

__all__ = ["Answers", "calculate", "name_entities", "read_answers", "reply"]

_ENOUGH = 0.5
"""Cosine below which two questions are not the same question."""
_MAX_SUM = 80
"""Characters of a sum; nothing longer is read, so no answer takes long."""
_NO_ANSWER = (
    "I have no answer to that. I am a small local model: I know a little about Calibrant, do sums, and find "
    "names in sentences. With an API key, Calibrant can ask a real model."
)
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
_SPOKEN = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "multiplied by": "*",
    "divided by": "/",
    "\u00d7": "*",
    "\u00f7": "/",
}
_LEAD = re.compile(r"(?:please\s+)?(?:what is|what's|how much is|calculate|compute|work out)\s+", re.IGNORECASE)
_SUM = re.compile(r"[\d.+\-*/() ]*\d[\d.+\-*/() ]*")


class _Entry(Struct, frozen=True):
    asked: tuple[str, ...]
    answer: str


class _Faq(Struct, frozen=True):
    entries: tuple[_Entry, ...]


class Answers(Struct, frozen=True):
    """Known questions as weighted words, each with the answer to give."""

    questions: tuple[tuple[dict[str, float], str], ...]
    rarity: dict[str, float]
    """Inverse frequency of each word; a word of no question is as rare as can be."""
    unknown: float

    def find(self, text: str) -> str | None:
        """Return the answer to the known question most like the text, if any is like enough."""
        asked = self._weigh(text)
        scored = [(_cosine(asked, known), answer) for known, answer in self.questions]
        score, answer = max(scored, key=lambda pair: pair[0])
        return answer if score >= _ENOUGH else None

    def _weigh(self, text: str) -> dict[str, float]:
        return {word: n * self.rarity.get(word, self.unknown) for word, n in Counter(_words(text)).items()}


def read_answers() -> Answers:
    """Return the answers that ship with the package."""
    text = resources.files("calibrant.demo").joinpath("data", "faq.toml").read_text("utf-8")
    pairs = [
        (Counter(_words(asked)), entry.answer)
        for entry in msgspec.convert(tomllib.loads(text), _Faq).entries
        for asked in entry.asked
    ]
    counts: Counter[str] = Counter(word for words, _ in pairs for word in words)
    rarity = {word: log((1 + len(pairs)) / count) for word, count in counts.items()}
    questions = tuple(({word: n * rarity[word] for word, n in words.items()}, answer) for words, answer in pairs)
    return Answers(questions, rarity, log(1 + len(pairs)))


def reply(text: str, answers: Answers, extract: Callable[[str], Entities]) -> str:
    """Return what the assistant says to a message.

    Args:
        text: The message.
        answers: What it knows.
        extract: Finds the entities of a text.
    """
    found = calculate(text) or answers.find(text)
    return found or name_entities(extract(text)) or _NO_ANSWER


def name_entities(entities: Entities) -> str | None:
    """Return a sentence that names the entities, or null when there are none."""
    parts = [f"{kind}: {', '.join(entities.of(kind))}" for kind in KINDS if entities.of(kind)]
    if not parts:
        return None
    return f"I am a small local model and cannot discuss this, but I see names in it. {'; '.join(parts)}."


def calculate(text: str) -> str | None:
    """Return the value of a message that is a sum and nothing else, or null."""
    expression = _LEAD.sub("", text.strip().rstrip("?=. "), count=1)
    for spoken, sign in _SPOKEN.items():
        expression = expression.replace(spoken, sign)
    if len(expression) > _MAX_SUM or not _SUM.fullmatch(expression):
        return None
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        if not isinstance(tree, ast.BinOp):
            return None
        value = _value(tree)
    except ZeroDivisionError:
        return "Nothing can be divided by zero."
    except (SyntaxError, ValueError, OverflowError):
        return None
    return f"{expression.strip()} = {int(value) if value == int(value) else round(value, 10)}"


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
        case _:
            raise ValueError("not a sum")


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:/\w+)?", text.lower())


def _cosine(a: dict[str, float], b: dict[str, float]) -> float:
    norm = sqrt(sum(w * w for w in a.values()) * sum(w * w for w in b.values()))
    return sum(weight * b.get(word, 0.0) for word, weight in a.items()) / norm if norm else 0.0
