"""`calibrant stats`: the numbers as JSON and as tables."""

from io import StringIO

import msgspec
import numpy as np
import pytest
from rich.console import Console
from tests.support.experiments import answers, traffic
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


def shown(found, width=160):
    out = StringIO()
    show(found, Console(width=width, file=out))
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
    assert (metric["design_effect"], a["asked_for"], a["served_by_others"], found["unit"]) == (1.0, 0, 0, "episode")
    assert set(metric["estimate"]) >= {"estimate", "low", "high", "level", "n", "clusters", "method", "why", "warnings"}


def test_json_has_what_the_page_says(run, data):
    found = msgspec.json.decode(run("stats", "-f", "extract", "--data-dir", data, "--json")[1])
    assert set(found["sample_ratio"]) == {
        "units",
        "variants",
        "basis",
        "e_value",
        "p_value",
        "alpha",
        "failed",
        "causes",
    }
    assert [set(each) for each in found["sample_ratio"]["variants"]] == 2 * [
        {"variant_name", "units", "share", "planned"}
    ]
    (parity,), (difference,), (verdict,) = (found[name] for name in ("feedback_parity", "differences", "verdicts"))
    assert set(parity) == {"metric_name", "variants", "alpha", "failed", "causes"}
    assert set(difference) == {
        "metric_name",
        "first",
        "second",
        "estimate",
        "effective_units",
        "watched",
        "always_valid",
        "p_value",
        "adjusted_p",
        "left_out",
        "strata",
        "if_missing",
        "differs",
        "better",
        "doubts",
        "needed",
    }
    assert verdict == {"metric_name": "good", "outcome": "undecided", "winner": None, "doubts": []}
    assert found["comparisons"] == {"count": 0, "error": 0.05, "method": "holm"}


def test_a_span_narrows_what_is_looked_at(run, data):
    for flag, variants in (("--since", 0), ("--until", 2)):
        _, out, _ = run("stats", "-f", "extract", "--data-dir", data, "--json", flag, "2200-01-01")
        assert len(msgspec.json.decode(out)["variants"]) == variants
    _, out, _ = run("stats", "-f", "extract", "--data-dir", data, "--since", "2200-01-01")
    assert out == "No inference of the function 'extract' is recorded of that time.\n"
    status, _, err = run("stats", "-f", "extract", "--data-dir", data, "--since", "yesterday")
    assert status == 2 and "--since" in err


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
    assert lines[2][3:] == ["20", "10", "1.0", "50% of 40", "cluster_wilson"]
    assert " to " in lines[2][2]
    assert lines[3] == ["b", "-", "none yet", "0", "0", "-", "0% of 1", "none"]
    assert "cost (float, by episode, smaller is better)" in text


def test_notes_say_what_deserves_less_trust():
    text = shown(function_stats("f", rows(), [GOOD], {}))
    assert "a, good: no rows: nothing was measured" in text
    assert "1 episodes are of several variants; episode-level metrics leave them out" in text


def test_a_function_without_inferences_is_said_to_have_none():
    assert shown(function_stats("f", [], [GOOD], {})) == "No inference of the function 'f' is recorded yet.\n"


PAGE = """\
split: as planned, as far as can be seen: large 198 episodes (49.5%, planned 50.0%), small 202
  episodes (50.5%, planned 50.0%); e-value 1.1, alarm at 1,000
feedback on good: as often for each, as far as can be seen (large 98.9%, small 100.0%)
feedback on cost: as often for each, as far as can be seen (large 100.0%, small 100.0%)
extract: what each variant did
┏━━━━━━━━━┳━━━━━┳━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━┓
┃ variant ┃   n ┃ errors ┃ episodes ┃ p50 ms ┃ p95 ms ┃ tokens in ┃ tokens out ┃
┡━━━━━━━━━╇━━━━━╇━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━┩
│ large   │ 614 │      7 │      198 │   10.0 │   10.0 │      4298 │       1842 │
│ small   │ 643 │      0 │      202 │   10.0 │   10.0 │      4501 │       1929 │
└─────────┴─────┴────────┴──────────┴────────┴────────┴───────────┴────────────┘
good (boolean, by inference, larger is better)
┏━━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━┳━━━━━━━━━━┳━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┓
┃ variant ┃  mean ┃  95 % interval ┃   n ┃ episodes ┃ deff ┃    feedback ┃ method         ┃
┡━━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━╇━━━━━━━━━━╇━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━┩
│ large   │ 0.771 │ 0.730 to 0.808 │ 607 │      198 │  1.4 │  99% of 614 │ cluster_wilson │
│ small   │ 0.565 │ 0.521 to 0.608 │ 643 │      202 │  1.3 │ 100% of 643 │ cluster_wilson │
└─────────┴───────┴────────────────┴─────┴──────────┴──────┴─────────────┴────────────────┘
small - large = -20.6 pp [-26.5, -14.8], at any look [-29.9, -11.4], 1,250 inferences in 400
  episodes, cluster-robust; rules out no change: small is worse (p below 0.001 over 2 comparisons)
best by good: large; each other one is worse (at 5 % chance of error over 2 comparisons)
cost (float, by episode, smaller is better)
┏━━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━┳━━━━━━━━━━┳━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━┓
┃ variant ┃  mean ┃  95 % interval ┃   n ┃ episodes ┃ deff ┃    feedback ┃ method  ┃
┡━━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━╇━━━━━━━━━━╇━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━┩
│ large   │ 1.109 │ 1.032 to 1.187 │ 198 │      198 │  1.0 │ 100% of 198 │ student │
│ small   │ 1.174 │ 1.091 to 1.256 │ 202 │      202 │  1.0 │ 100% of 202 │ student │
└─────────┴───────┴────────────────┴─────┴──────────┴──────┴─────────────┴─────────┘
small - large = +0.0643 [-0.0486, +0.177], at any look [-0.116, +0.245], 400 episodes, independent;
  cannot rule out no change; 6,670 episodes would, were it as large as it looks
no winner by cost yet
failed inferences have no feedback: they count in the split and in the feedback rate, not in means
"""


def test_the_page_as_a_whole():
    rows = traffic(1, 400, names=("small", "large"), failing=(0, 0.005))
    episodes = dict.fromkeys(row.episode_id for row in rows)
    cost = {episode: float(np.random.default_rng(i).lognormal(0, 0.5)) for i, episode in enumerate(episodes)}
    good = answers(2, rows, good={"small": 0.6, "large": 0.8})
    text = shown(function_stats("extract", rows, [GOOD, COST], {"good": good, "cost": cost}), width=100)
    assert [line.rstrip() for line in text.splitlines()] == PAGE.splitlines()
    assert max(map(len, text.splitlines())) <= 100


def test_a_faulty_split_comes_first_with_its_counts_and_causes():
    rows = traffic(2, 2500, share=0.45, told=0.5, size=1)
    text = " ".join(
        shown(function_stats("f", rows, [GOOD], {"good": answers(3, rows, good={"a": 0.6, "b": 0.8})})).split()
    )
    assert text.startswith("SPLIT NOT AS PLANNED: a 1,3")
    assert "planned 50.0%); e-value" in text and "alarm at 1,000; no winner is named, and the differences" in text
    assert text.count("likely cause: ") == 3
    assert "NOT TO BE TRUSTED: the split is not as planned" in text
    assert "no winner by good: the split is not as planned" in text and "best by" not in text


def test_missing_feedback_comes_first_with_its_counts_and_causes():
    rows = traffic(3, 500, failing=(0.0, 0.1))
    good = answers(4, rows, good={"a": 0.6, "b": 0.8}, judged={"a": 0.9, "b": 0.6})
    text = " ".join(shown(function_stats("f", rows, [GOOD], {"good": good})).split())
    assert "FEEDBACK ON good IS NOT AS OFTEN FOR EACH: a 6" in text and "by this metric no winner is named" in text
    assert "likely cause: failures, which have no feedback: 0.0% of a, " in text
    assert "no winner by good: not all variants had feedback equally often" in text and "best by" not in text
    assert "failed inferences have no feedback: they count in the split and in the feedback rate, not in means" in text


def test_names_are_no_markup(run, tmp_path):
    row = inferred(function_name="[bold]f", variant_name="[red]v[/green]")
    spooled(tmp_path / "spool", row, feedback(row.inference.id, metric_name="[m]"))
    drained(tmp_path / "spool", tmp_path / "events.db")
    status, out, _ = run("stats", "-f", "[bold]f", "--data-dir", tmp_path)
    assert status == 0
    assert "[bold]f: what" in out
    assert "[m] (boolean" in out
    assert out.count("[red]v[/green]") == 2
