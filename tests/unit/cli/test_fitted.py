"""Tables that fit their terminal."""

from io import StringIO

import pytest
from rich.console import Console

from calibrant.cli.fitted import fitted

HEADINGS = ("variant", "mean", "95 % interval", "n", "method")
ROWS = [("large", "0.771", "0.730 to 0.808", "607", "cluster_wilson"), ("small", "0.5", "none yet", "6", "wilson")]
SPARE = ("method", "n")


def lines(width, rows=ROWS):
    table, below = fitted("title", HEADINGS, rows, width, spare=SPARE)
    out = StringIO()
    Console(width=width, file=out).print(table)
    return out.getvalue().splitlines(), below


def headings(page):
    (line,) = (line for line in page if "variant" in line)
    return [cell.strip() for cell in line.strip("┃").split("┃")]


@pytest.mark.parametrize(("width", "gone"), [(59, 0), (58, 1), (42, 1), (41, 2)])
def test_what_has_no_room_stands_below(width, gone):
    page, below = lines(width)
    assert headings(page) == list(HEADINGS[: 5 - gone])
    assert below == ["n: large 607, small 6", "method: large cluster_wilson, small wilson"][2 - gone :]
    assert max(map(len, page)) <= width and any("0.730 to 0.808" in line for line in page)


def test_a_name_that_is_longer_than_the_terminal_goes_on_below():
    page, _ = lines(50, [("x" * 90, *ROWS[0][1:])])
    assert sum(line.count("x") for line in page) == 90 and max(map(len, page)) <= 50
