"""Configurations of theirs."""

import msgspec
import pytest

from calibrant.base.errors import ConfigError
from calibrant.config.snapshot import restore
from calibrant.imports.blocks import Unmappable
from calibrant.imports.snapshots import to_snapshots

ROW = {"hash": "0a" * 32, "config": "[gateway]\ndebug = true\n", "extra_templates": '{"p": "t"}'}


def test_rows_may_name_it_by_either_hash():
    made = to_snapshots({**ROW, "canonical_hash": "0b" * 32})
    assert [each.hash for each in made] == ["0a" * 32, "0b" * 32]
    assert made[0].config == made[1].config
    assert [each.hash for each in to_snapshots({**ROW, "canonical_hash": None})] == ["0a" * 32]


def test_it_is_kept_as_it_is_and_says_whose_it_is():
    (made,) = to_snapshots({**ROW, "tensorzero_version": "2026.6.0", "tags": {"a": "b"}})
    assert made.version == "tensorzero 2026.6.0"
    assert msgspec.json.decode(made.config) == {
        "gateway": "tensorzero",
        "document": {"gateway": {"debug": True}},
        "toml": ROW["config"],
        "includes": {"p": "t"},
        "tags": {"a": "b"},
    }


def test_a_text_that_cannot_be_read_is_kept_too():
    (made,) = to_snapshots({**ROW, "config": "= nothing"})
    held = msgspec.json.decode(made.config)
    assert (held["document"], held["toml"]) == ({}, "= nothing")


def test_nobody_takes_it_for_one_of_ours():
    (made,) = to_snapshots(ROW)
    with pytest.raises(ConfigError):
        restore(made.config)


@pytest.mark.parametrize("change", [{"hash": None}, {"hash": "0a"}, {"config": None}, {"extra_templates": "{"}])
def test_what_is_none_says_why(change):
    with pytest.raises(Unmappable):
        to_snapshots({**ROW, **change})
