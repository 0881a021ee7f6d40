"""A world out of a file."""

import msgspec
import pytest

from calibrant.base.errors import ConfigError
from calibrant.demo.simlm.reading import Target, built_in, read_world
from calibrant.demo.simlm.world import World


def test_the_built_in_world_is_as_its_file_asks():
    world = World(read_world(None))
    assert world.accuracy("") == pytest.approx(0.7)
    assert world.icc("") == pytest.approx(0.1)
    effects = {name: world.true_effect("", rule.phrase) for name, rule in world.parameters.rules.items()}
    assert effects == pytest.approx({"steps": 0.08, "units": 0.04, "expert": 0, "hurry": -0.05}, abs=1e-6)
    assert set(world.parameters.judges) == {"good", "biased"}


def test_either_form_and_what_stands_in_the_place_of_the_file(tmp_path):
    (tmp_path / "w.toml").write_text(built_in())
    table = msgspec.toml.decode(built_in())
    (tmp_path / "w.json").write_bytes(msgspec.json.encode(table))
    plain = read_world(None)
    assert plain == read_world(tmp_path / "w.toml") == read_world(tmp_path / "w.json")
    other = World(read_world(None, 9, Target(accuracy=0.5, effects={"units": 0.1})))
    assert other.parameters.seed == 9 and plain.seed == 1
    assert (other.accuracy(""), other.true_effect("", "check the units")) == pytest.approx((0.5, 0.1))
    assert (other.icc(""), other.true_effect("", "step by step")) == pytest.approx((0.1, 0.08), abs=1e-6)


def test_a_description_is_a_file(tmp_path):
    world = World(read_world(None))
    told = msgspec.json.decode(world.describe())["parameters"]
    (tmp_path / "again.json").write_bytes(msgspec.json.encode(told))
    assert read_world(tmp_path / "again.json") == world.parameters


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("w.yaml", "", "must end with .toml or .json"),
        ("none.toml", None, "No such file"),
        ("w.toml", "x", "w.toml: "),
        ("w.json", "[]", "w.json: Expected `object`"),
        ("w.json", "{", "w.json: "),
        ("w.toml", "sede = 1", "unknown field `sede`"),
        ("w.toml", "[judges.j]\ntpr = 2.0", r"tpr: must be at least 0 and at most 1, not 2.0 - at `\$.judges\[...\]`"),
        ("w.toml", "[target]\naccuracy = 2.0", "accuracy: must be between 0 and 1"),
        ("w.toml", "[target]\neffects.x = 0.1", "no rule 'x'"),
        ("w.toml", "target = 1", "Expected `object`"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, text, says):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_world(tmp_path / name)
