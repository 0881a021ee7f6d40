"""`calibrant stats`: the numbers as JSON and as tables."""

from io import StringIO

import msgspec
import pytest
from rich.console import Console
from tests.support.records import feedback, inferred
from tests.support.stores import drained, spooled

from calibrant.cli.stats import show
from calibrant.config.schema import Metric
from calibrant.experiments.stats import function_stats
from calibrant.store.base import Outcome

GOOD = Metric("good", "boolean", "max", "inference")
COST = Metric("cost", "float", "min", "episode")


@pytest.fixture
def data(tmp_path):
    """A record with one function of two variants."""
    folder = tmp_path / "data"
    records = [inferred(variant_name="ab"[i % 2], processing_ms=float(i)) for i in range(6)]
    records.append(inferred(variant_name="b", status="error"))
    judged = [feedback(record.inference.id, metric_name="good") for record in records[:4]]
    spooled(folder / "spool", *records, *judged)
    drained(folder / "spool", folder / "events.db")
    return folder


def shown(found):
    out = StringIO()
    show(found, Console(width=160, file=out))
    return out.getvalue()


def test_json_has_every_figure(run, data):
    status, out, err = run("stats", "-f", "extract", "--data-dir", data, "--json")
    assert (status, err) == (0, "")
    found = msgspec.json.decode(out)
    assert (found["function_name"], found["mixed_episodes"]) == ("extract", 0)
    a, b = found["variants"]
    assert (a["variant_name"], a["n"], a["errors"], a["episodes"], a["input_tokens"]) == ("a", 3, 0, 3, 21)
    assert (b["n"], b["errors"]) == (4, 1)
    (metric,) = a["metrics"]
    assert {key: metric[key] for key in ("metric_name", "type", "level", "optimize", "units")} == {
        "metric_name": "good",
        "type": "boolean",
        "level": "inference",
        "optimize": "max",
        "units": 3,
    }
    assert metric["feedback_rate"] == pytest.approx(2 / 3)
    assert set(metric["estimate"]) >= {"estimate", "low", "high", "level", "n", "clusters", "method", "why", "warnings"}


def test_the_command_prints_tables(run, data):
    status, out, _ = run("stats", "--function", "extract", "--data-dir", data)
    assert status == 0
    assert "extract: what each variant did" in out
    assert "good (boolean, by inference, larger is better)" in out


def test_a_function_that_nobody_knows_is_refused(run, data):
    status, out, err = run("stats", "-f", "nope", "--data-dir", data)
    assert (status, out) == (2, "")
    assert "there is no function 'nope', in the configuration (none) or in the record" in err


def test_without_a_database_there_is_nothing_to_show(run, tmp_path):
    status, _, err = run("stats", "-f", "f", "--data-dir", tmp_path / "none")
    assert status == 2
    assert "Traceback" not in err
    assert not (tmp_path / "none").exists()


def rows():
    found = [Outcome(f"i{i}", f"e{i // 2}", "a", "ok", 12.34, None, 7, None, None) for i in range(40)]
    return [*found, Outcome("x", "e0", "b", "error", None, None, None, None, None)]


def test_the_table_shows_figures_intervals_and_rates():
    text = shown(function_stats("f", rows(), [GOOD, COST], {"good": {f"i{i}": float(i % 4 == 0) for i in range(20)}}))
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    assert lines[0] == ["a", "40", "0", "20", "12.3", "12.3", "280", "-"]
    assert lines[1] == ["b", "1", "1", "1", "-", "-", "-", "-"]
    assert lines[2][:2] == ["a", "0.250"]
    assert lines[2][3:] == ["20", "10", "50% of 40", "cluster_wilson"]
    assert " to " in lines[2][2]
    assert lines[3] == ["b", "-", "none yet", "0", "0", "0% of 1", "none"]
    assert "cost (float, by episode, smaller is better)" in text


def test_notes_say_what_deserves_less_trust():
    text = shown(function_stats("f", rows(), [GOOD], {}))
    assert "a, good: no rows: nothing was measured" in text
    assert "1 episodes were served by several variants; episode-level metrics leave them out." in text


def test_a_function_without_inferences_is_said_to_have_none():
    assert shown(function_stats("f", [], [GOOD], {})) == "No inference of the function 'f' is recorded yet.\n"


def test_names_are_no_markup(run, tmp_path):
    row = inferred(function_name="[bold]f", variant_name="[red]v[/green]")
    spooled(tmp_path / "spool", row, feedback(row.inference.id, metric_name="[m]"))
    drained(tmp_path / "spool", tmp_path / "events.db")
    status, out, _ = run("stats", "-f", "[bold]f", "--data-dir", tmp_path)
    assert status == 0
    assert "[bold]f: what" in out
    assert "[m] (boolean" in out
    assert out.count("[red]v[/green]") == 2
