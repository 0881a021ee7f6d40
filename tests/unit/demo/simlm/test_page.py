"""`docs/simlm.md` says what every field of a world is, and its example runs."""

import re
from pathlib import Path

import msgspec
import pytest

from calibrant.demo.simlm import parameters
from calibrant.demo.simlm.reading import Target
from calibrant.demo.simlm.world import World

PAGE = (Path(__file__).parents[4] / "docs" / "simlm.md").read_text()
TABLES = [getattr(parameters, name) for name in parameters.__all__ if name != "Shown"]


@pytest.mark.parametrize("table", [*TABLES, Target])
def test_every_field_is_explained(table):
    section = PAGE[PAGE.index("## A world") :]
    for field in msgspec.structs.fields(table):
        assert re.search(rf"[`.]{field.name}[.`\[]", section), (table.__name__, field.name)


def test_every_question_to_a_world_is_listed():
    public = [name for name in vars(World) if not name.startswith("_") and name not in ("parameters", "model")]
    assert [name for name in public if f"`{name}`" not in PAGE] == []


def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(code, names)
    assert names["right"].shape == (2, 500) and names["passed"].shape == (500,)
    assert names["world"].true_effect(*names["prompts"]) == pytest.approx(0.08)
    assert capsys.readouterr().out == names["world"].describe() + "\n"


def test_it_says_what_it_is_for():
    assert "never evidence that something improves accuracy on real tasks" in PAGE
