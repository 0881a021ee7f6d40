"""The conformance matrix: provider by capability, made of what the facts declare and what the cases show.

`python -m tests.contract.providers.matrix` writes it into `docs/providers.md`; a test holds that page to it.
"""

from __future__ import annotations

from pathlib import Path

from tests.contract.providers.cases import CAPABILITIES, RESPONSES, Answer, AnyCase, BrokenStream, Embedded, Failure
from tests.contract.providers.dialects.all import CASES

from calibrant.config.vendors import VENDORS
from calibrant.providers.facts import Facts, facts

PAGE = Path(__file__).parents[3] / "docs" / "providers.md"
START = "<!-- matrix: made by `python -m tests.contract.providers.matrix` -->\n"
END = "<!-- end of matrix -->\n"
COLUMNS = (*CAPABILITIES, "cancel")
PASSED, UNVERIFIED, UNSUPPORTED, MISSING = "yes", "yes (a)", "no", "missing"
ROWS = tuple(row for kind in VENDORS for row in ((kind, RESPONSES) if kind == "openai" else (kind,)))

_DECLARED = {
    "tools": "tools",
    "parallel tools": "parallel_tools",
    "forced tools": "forced_tools",
    "custom tools": "custom_tools",
    "allowed tools": "allowed_tools",
    "structured output": "json_schema",
    "images": "images",
    "files": "documents",
    "audio": "audio",
    "reasoning": "reasoning",
    "cache tokens": "cache_tokens",
    "provider tools": "provider_tools",
    "embeddings": "embeddings",
}
"""The field of `Facts` that declares a capability; every provider has the others."""


def facts_of(row: str) -> Facts:
    """Return what is declared of a row."""
    known = facts("openai", "responses") if row == RESPONSES else facts(row)
    if known is None:
        raise KeyError(row)
    return known


def declared(row: str, column: str) -> bool:
    """Return whether the facts say that the provider has the capability."""
    known = facts_of(row)
    if column == "structured output":
        return known.json_schema or known.json_mode
    name = _DECLARED.get(column)
    return True if name is None else bool(getattr(known, name))


def covering(row: str, column: str) -> list[AnyCase]:
    """Return the cases that show the capability."""
    mine = [case for case in CASES if case.row == row]
    if column == "cancel":
        return [case for case in mine if isinstance(case, Answer) and case.stream is not None]
    if column == "errors":
        return [case for case in mine if isinstance(case, (Failure, BrokenStream)) or column in case.covers]
    return [case for case in mine if column in case.covers]


def cell(row: str, column: str) -> str:
    """Return what the matrix says of a provider and a capability."""
    if not declared(row, column):
        return UNSUPPORTED
    cases = covering(row, column)
    if not cases:
        return MISSING
    answers = [case for case in cases if isinstance(case, (Answer, Embedded))]
    return UNVERIFIED if answers and all(case.judge is None for case in answers) else PASSED


def pages(row: str) -> str:
    """Return the vendor's pages that the row was written from."""
    docs = {case.docs for case in CASES if case.row == row} | set(facts_of(row).docs)
    return ", ".join(sorted(docs))


def matrix() -> str:
    """Return the matrix and the pages under it, as Markdown."""
    lines = [f"| | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    lines += [f"| `{row}` | {' | '.join(cell(row, column) for column in COLUMNS)} |" for row in ROWS]
    lines += ["", "Written from, and where a `no` is declared:", ""]
    lines += [f"- `{row}`: {pages(row)}" for row in ROWS]
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """Return the page with the matrix of now in it."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{matrix()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
