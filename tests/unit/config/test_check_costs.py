from decimal import Decimal

import pytest

from calibrant.base.errors import ConfigError
from calibrant.config.load import load
from calibrant.config.schema import CostRule
from calibrant.config.snapshot import restore

MODEL = '[models.m]\nrouting = ["p"]\n[models.m.providers.p]\ntype = "openai"\nmodel_name = "x"\n'


@pytest.fixture
def configured(tmp_path):
    def go(cost):
        file = tmp_path / "c.toml"
        file.write_text(f"{MODEL}cost = [{cost}]\n")
        return load(str(file), environ={})

    return go


def test_rules_are_exact(configured):
    config = configured(
        '{ pointer = "/usage/prompt_tokens", cost_per_million = 0.1, required = true },'
        '{ pointer_nonstreaming = "/a~1b/~0", pointer_streaming = "/m/0", cost_per_unit = -1e-7 },'
        '{ pointer = "/n", cost_per_million = 3 }'
    )
    expected = (
        CostRule(("usage", "prompt_tokens"), ("usage", "prompt_tokens"), Decimal("0.1E-6"), True),
        CostRule(("a/b", "~"), ("m", "0"), Decimal("-1E-7")),
        CostRule(("n",), ("n",), Decimal("0.000003")),
    )
    assert config.models["m"].providers[0].cost == expected
    assert restore(config.canonical).models["m"].providers[0].cost == expected
    assert not any("cost" in warning for warning in config.warnings)


@pytest.mark.parametrize(
    ("rule", "path", "problem"),
    [
        ("cost_per_unit = 1", "cost[0]", "names no number"),
        ('pointer = "/a"', "cost[0]", "has no price"),
        ('pointer = "/a", cost_per_unit = 1, cost_per_million = 1', "cost[0]", "keep one of the two"),
        ('pointer_streaming = "/a", cost_per_unit = 1', "cost[0]", "has no `pointer_nonstreaming`"),
        ('pointer_nonstreaming = "/a", cost_per_unit = 1', "cost[0]", "has no `pointer_streaming`"),
        ('pointer = "/a", pointer_streaming = "/a", cost_per_unit = 1', "cost[0]", "has `pointer` beside"),
        ('pointer = "usage", cost_per_unit = 1', "cost[0].pointer", "is no JSON Pointer"),
        ('pointer = "", cost_per_unit = 1', "cost[0].pointer", "is no JSON Pointer"),
        ('pointer = "/a~2", cost_per_unit = 1', "cost[0].pointer", "is no JSON Pointer"),
        ('pointer = "/a", cost_per_unit = nan', "cost[0].cost_per_unit", "is nan"),
        ('pointer = "/a", cost_per_million = inf', "cost[0].cost_per_million", "is inf"),
        ('pointer = "/a", cost_per_million = "1"', "cost[0].cost_per_million", "Expected"),
    ],
)
def test_each_mistake_is_told(configured, rule, path, problem):
    with pytest.raises(ConfigError) as error:
        configured("{" + rule + "}")
    assert f"models.m.providers.p.{path}:" in error.value.message
    if problem != "Expected":
        assert problem in error.value.message
