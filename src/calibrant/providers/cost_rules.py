"""The configuration's own prices: numbers of a provider's answer, each with its price."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from typing import Any, cast

import msgspec

from calibrant.config.schema import CostRule
from calibrant.providers.refusal import UNREADABLE
from calibrant.types.money import text_of

__all__ = ["CostRules"]

_EXACT = Context(prec=120)
_WIDEST = 40
"""Numbers with more digits before or after the point than this are none that anybody counts or charges."""
_INPUT = frozenset({"prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens"})
_OUTPUT = frozenset({"completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens"})
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
"""Keys that JSON has but one way to write."""

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class CostRules:
    """The rules of one provider."""

    __slots__ = ("_needles", "_rules")

    def __init__(self, rules: Sequence[CostRule]) -> None:
        """Take the rules."""
        self._rules = rules
        self._needles = tuple({_needle(rule.streamed) for rule in rules})

    def cost(self, body: bytes, *, stream: bool) -> tuple[str | None, Decimal | None]:
        """Return what an answer costs, null where a number that is required is not there.

        Args:
            body: The whole answer; of a stream its events' data, one a line.
            stream: Which of the two it is.

        Returns:
            The cost; and the sum, where it is negative and therefore no cost.
        """
        found = self._streamed(body) if stream else self._numbers(_fields(body), stream=False)
        sum_ = Decimal(0)
        for rule, number in zip(self._rules, found, strict=True):
            if number is None:
                if rule.required:
                    return None, None
                continue
            sum_ = _EXACT.add(sum_, _EXACT.multiply(number, rule.rate))
        return (None, sum_) if sum_ < 0 else (text_of(sum_), None)

    def usual(self, input_tokens: int, output_tokens: int) -> Decimal | None:
        """Return what a call of so many tokens costs, as far as the names of the numbers tell which are counted.

        Null where none of them counts tokens. What else the rules price (cached tokens, searches) counts as 0.
        """
        counted = [(_tokens(rule.whole, input_tokens, output_tokens), rule.rate) for rule in self._rules]
        if all(number is None for number, _ in counted):
            return None
        return sum((_EXACT.multiply(number or 0, rate) for number, rate in counted), Decimal(0))

    def _streamed(self, body: bytes) -> list[Decimal | None]:
        largest: list[Decimal | None] = [None] * len(self._rules)
        for line in body.split(b"\n"):
            if not any(needle in line for needle in self._needles):
                continue
            for i, number in enumerate(self._numbers(_fields(line), stream=True)):
                held = largest[i]
                if number is not None and (held is None or number > held):
                    largest[i] = number
        return largest

    def _numbers(self, fields: dict[str, msgspec.Raw], *, stream: bool) -> list[Decimal | None]:
        opened: dict[str, Any] = {}
        numbers: list[Decimal | None] = []
        for rule in self._rules:
            first, *steps = rule.streamed if stream else rule.whole
            if first not in opened and first in fields:
                opened[first] = _value(fields[first])
            numbers.append(_number(_followed(opened.get(first), steps)))
        return numbers


def _tokens(steps: Sequence[str], input_tokens: int, output_tokens: int) -> int | None:
    name = steps[-1] if steps else ""
    return input_tokens if name in _INPUT else output_tokens if name in _OUTPUT else None


def _needle(steps: Sequence[str]) -> bytes:
    """Return bytes that an event must have for the pointer to lead anywhere; empty where that is hard to say."""
    names = [step for step in steps if _PLAIN.fullmatch(step) and not step.isdigit()]
    return f'"{names[-1]}"'.encode() if names else b""


def _fields(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _decode_fields(body)
    except UNREADABLE:
        return {}


def _value(raw: msgspec.Raw) -> Any:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        return None


def _followed(value: Any, steps: Iterator[str] | Sequence[str]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit():
            items = cast("list[Any]", value)
            # An index of thousands of digits is no place, and not worth reading.
            value = items[int(step)] if len(step) < 10 and int(step) < len(items) else None
        else:
            return None
    return value


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > _WIDEST or len(number.as_tuple().digits) > 2 * _WIDEST:
        return None
    return number
