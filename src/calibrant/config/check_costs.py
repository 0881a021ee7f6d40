"""What must hold of `cost` and `batch_cost`: each entry names one number and one price."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from calibrant.config.check import Report
from calibrant.config.document import Document
from calibrant.config.document_models import CostRule
from calibrant.config.problem import Path

__all__ = ["check_costs"]

_POINTER = re.compile(r"(/([^~/]|~[01])*)+")
_EXAMPLE = 'such as pointer = "/usage/prompt_tokens"'


def check_costs(document: Document, report: Report) -> None:
    """Report entries that cannot be followed."""
    for here, provider in document.provider_tables():
        _check((*here, "cost"), provider.cost, report)
        _check((*here, "batch_cost"), provider.batch_cost, report)


def _check(path: Path, rules: Iterable[CostRule], report: Report) -> None:
    for i, rule in enumerate(rules):
        here = (*path, i)
        _check_pointers(here, rule, report)
        rates = {"cost_per_million": rule.cost_per_million, "cost_per_unit": rule.cost_per_unit}
        given = {key: rate for key, rate in rates.items() if rate is not None}
        if not given:
            report(here, "has no price", "give it `cost_per_million` or `cost_per_unit`")
        elif len(given) > 1:
            report(here, "has `cost_per_million` and `cost_per_unit`", "keep one of the two")
        for key, rate in given.items():
            if not math.isfinite(rate):
                report((*here, key), f"is {rate}, which is no price", "write a number of US dollars")


def _check_pointers(here: Path, rule: CostRule, report: Report) -> None:
    apart = {"pointer_nonstreaming": rule.pointer_nonstreaming, "pointer_streaming": rule.pointer_streaming}
    missing = [key for key, pointer in apart.items() if pointer is None]
    if rule.pointer is None and len(missing) == len(apart):
        report(here, "names no number", f"give it a pointer, {_EXAMPLE}")
    elif rule.pointer is None and missing:
        report(here, f"has no `{missing[0]}`", "give it both, or `pointer` for both")
    elif rule.pointer is not None and len(missing) < len(apart):
        report(here, "has `pointer` beside one for whole answers or streams alone", "keep `pointer`, or the other two")
    for key, pointer in {"pointer": rule.pointer, **apart}.items():
        if pointer is not None and not _POINTER.fullmatch(pointer):
            report((*here, key), "is no JSON Pointer to a field", f"write it like a path, {_EXAMPLE}")
