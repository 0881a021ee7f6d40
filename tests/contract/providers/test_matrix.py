"""What the facts declare and what the cases show agree, both ways; and the documentation says it."""

from __future__ import annotations

import pytest
from tests.contract.providers.cases import CAPABILITIES
from tests.contract.providers.dialects.all import CASES
from tests.contract.providers.matrix import (
    COLUMNS,
    MISSING,
    PAGE,
    ROWS,
    cell,
    covering,
    declared,
    page,
)

from calibrant.config.vendors import RELAY
from calibrant.providers.catalog import BUILT


def test_every_type_has_a_row_and_is_built() -> None:
    assert {row.split(" ")[0] for row in ROWS} == BUILT
    # Another gateway is no provider that a configuration can name.
    assert {case.row for case in CASES} == {*ROWS, RELAY}


def test_cases_cover_columns_that_there_are() -> None:
    assert {column for case in CASES for column in case.covers} <= set(CAPABILITIES)


@pytest.mark.parametrize("row", ROWS)
def test_what_is_shown_is_declared(row: str) -> None:
    assert [column for column in COLUMNS if covering(row, column) and not declared(row, column)] == []


def test_what_is_declared_is_shown() -> None:
    missing = [(row, column) for row in ROWS for column in COLUMNS if cell(row, column) == MISSING]
    assert missing == []


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "run `python -m tests.contract.providers.matrix`"
