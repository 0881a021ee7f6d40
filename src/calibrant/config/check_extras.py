"""What must hold of `extra_body` and `extra_headers`, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable

from calibrant.config.check import Report
from calibrant.config.document import Document
from calibrant.config.document_functions import calls_of
from calibrant.config.document_parts import ExtraBody, ExtraHeader
from calibrant.config.problem import Path

__all__ = ["check_extras"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE = re.compile(r"[^\r\n\0]*")
_ONE = ("has neither `value` nor `delete = true`", "give it one of the two")
_BOTH = ("has a `value` and `delete = true`", "keep one of the two")


def check_extras(document: Document, report: Report) -> None:
    """Report entries that change nothing or that cannot be followed."""
    for here, provider in document.provider_tables():
        _check(here, provider.extra_body, provider.extra_headers, report)
    for name, function in document.functions.items():
        for key, variant in function.variants.items():
            for within, call in calls_of(variant):
                here = ("functions", name, "variants", key, *within)
                _check(here, call.extra_body, call.extra_headers, report)


def _check(path: Path, body: Iterable[ExtraBody], headers: Iterable[ExtraHeader], report: Report) -> None:
    for i, entry in enumerate(body):
        here = (*path, "extra_body", i)
        if not entry.pointer.startswith("/"):
            report((*here, "pointer"), "is no JSON Pointer", 'start it with "/", such as "/generationConfig/topK"')
        _check_one(here, entry.value, entry.delete, report)
    for i, entry in enumerate(headers):
        here = (*path, "extra_headers", i)
        if not _TOKEN.fullmatch(entry.name):
            report((*here, "name"), f"{entry.name!r} is no name of a header", "mend it")
        if entry.value is not None and not _LINE.fullmatch(entry.value):
            report((*here, "value"), "has a line break, which no header may have", "take it out")
        _check_one(here, entry.value, entry.delete, report)


def _check_one(here: Path, value: object, delete: bool | None, report: Report) -> None:
    if value is None and not delete:
        report(here, *_ONE)
    elif value is not None and delete:
        report(here, *_BOTH)
