"""Cells of a bench: the same seed gives the same figures, and what is kept is not computed again, unless it changed."""

import msgspec
import pytest
from bench.measurement import m1_means, m9_alarms
from bench.measurement.cells import Cell, code_of, computed, figures_of, finished

CELLS = [Cell("M1", m1_means.means, {"shape": "normal", "n": n, "reps": 20}) for n in (5, 10, 15)]


def of(done):
    return {each.key: each.figures for each in done}


def test_a_cell_is_a_function_of_seed_and_name():
    one, again, other = (computed(CELLS[0], seed, "").figures for seed in (1, 1, 2))
    assert one == again != other
    assert computed(CELLS[1], 1, "").figures != one


def test_a_killed_run_goes_on(tmp_path):
    kept = tmp_path / "folder" / "kept.jsonl"
    first = of(finished(CELLS[:2], 1, kept, 1))
    marked = {"ours": 0.123}
    lines = kept.read_bytes().splitlines()
    told = msgspec.json.decode(lines[0])
    # One line says something that was never computed, and the last was not written to its end.
    kept.write_bytes(msgspec.json.encode(told | {"figures": marked}) + b"\n" + lines[1][:20] + b"\n")
    again = list(finished(CELLS, 1, kept, 1))
    assert len(again) == 3
    assert of(again)[told["key"]] == marked
    assert {key: each for key, each in first.items() if key != told["key"]}.items() <= of(again).items()
    assert [figures for _, figures in figures_of(CELLS, again)] == [of(again)[cell.key] for cell in CELLS]
    # Another seed uses none of it.
    assert of(finished(CELLS[:2], 2, kept, 1))[told["key"]] != marked


@pytest.mark.parametrize("changed", ["code", "seed"])
def test_what_changed_is_computed_again(tmp_path, changed):
    kept = tmp_path / "kept.jsonl"
    list(finished(CELLS[:1], 1, kept, 1))
    told = msgspec.json.decode(kept.read_bytes())
    other = {"code": "0", "seed": 7}[changed]
    kept.write_bytes(msgspec.json.encode(told | {changed: other, "figures": {}}) + b"\n")
    (found,) = finished(CELLS[:1], 1, kept, 1)
    assert found.figures == told["figures"]


def test_the_code_of_a_cell_is_that_of_its_file_and_what_it_imports():
    other = Cell("M9", m9_alarms.split_drawn, {})
    assert code_of(CELLS[0]) == code_of(CELLS[1]) != code_of(other)
