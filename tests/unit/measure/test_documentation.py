"""`docs/measurement.md` says what the functions say, and its pictures say what it says of them."""

import contextlib
import io
import re
from math import sqrt
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from calibrant import measure

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "measurement.md").read_text()
PICTURES = dict(re.findall(r"!\[([^\]]+)\]\(pictures/(\w+)\.svg\)", PAGE))
EXAMPLES = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGE, re.DOTALL)
SVG = "{http://www.w3.org/2000/svg}"


def row(first):
    """The cells of the table's row that begins so."""
    (found,) = re.findall(rf"^\| {re.escape(first)} \| (.+) \|$", PAGE, re.MULTILINE)
    return found.split(" | ")


def percent(value, digits=0):
    return f"{100 * value:.{digits}f}"


@pytest.mark.parametrize("items", [50, 100, 200, 500, 1000, 5000])
def test_intervals(items):
    found = measure.wilson_interval(items * 4 // 5, items)
    assert row(f"{items:,}") == [f"{percent(found.low)} to {percent(found.high)} %"]


def test_no_failure_of_fifty():
    assert percent(measure.clopper_pearson_interval(0, 50).high) == "7"
    assert "0 of 50 still\nleaves up to 7 %" in PAGE


@pytest.mark.parametrize("points", [10, 5, 3])
def test_items_that_a_comparison_wants(points):
    difference = points / 100
    wanted = [f"{measure.paired_share_items(difference, apart).items:,}" for apart in (0.12, 0.2)]
    wanted.append(f"{measure.unpaired_share_items(0.8, 0.8 + difference).items:,} each")
    assert row(f"{points} points") == wanted


def test_slices():
    below = stats.binom.cdf(np.arange(51), 50, 0.8)
    worst = sum(1 - (1 - (1 - each) ** 20) for each in below[:50])
    best = sum(1 - each**20 for each in below[:50])
    assert (percent(worst / 50), percent(best / 50)) == ("69", "90")
    assert "the worst shows 69 % and the best 90 % on average" in PAGE
    assert f"with a chance of {percent(1 - 0.95**20)} %" in PAGE


def test_the_best_of_fifteen():
    assert f"(here {percent(measure.best_of(sqrt(0.7 * 0.3 / 100), 15))} points)" in PAGE


@pytest.mark.parametrize(
    ("case", "successes"),
    [("each item is solved in 5 of 10 attempts", [5, 5]), ("half of the items always, half never", [10, 0])],
)
def test_attempts(case, successes):
    found = (measure.pass_at_k(successes, [10, 10], 1), measure.pass_at_k(successes, [10, 10], 5))
    shares = [each.estimate for each in (*found, measure.pass_all_k(successes, [10, 10], 5))]
    assert row(case) == [f"{100 * share:.3g} %" if share > 0.01 else f"{100 * share:.1g} %" for share in shares]


def test_rows_of_the_same_documents():
    alike = 0.13
    narrower = sqrt((alike + (1 - alike) / 100) / (alike + (1 - alike) / 10))
    assert narrower == pytest.approx(4 / 5, abs=0.01) and "a fifth narrower" in PAGE


@pytest.mark.parametrize(("code", "shown"), EXAMPLES)
def test_examples_print_what_the_page_shows(code, shown):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/measurement.md", "exec"), {})
    assert printed.getvalue() == shown and shown


def test_every_block_of_python_is_an_example():
    assert len(EXAMPLES) == PAGE.count("```python") >= 8


def test_pictures_are_there_and_say_what_the_page_says():
    assert sorted(PICTURES.values()) == sorted(file.stem for file in (DOCS / "pictures").glob("*.svg"))
    for says, name in PICTURES.items():
        drawn = ElementTree.parse(DOCS / "pictures" / f"{name}.svg").getroot()
        named = [drawn.findtext(f"{SVG}title"), drawn.findtext(f"{SVG}desc")]
        assert all(named)
        shown = " ".join([*named, *(each.text for each in drawn.iter(f"{SVG}text"))])
        for share in re.findall(r"[\d.]+ %", says):
            assert share in shown, (name, share)
