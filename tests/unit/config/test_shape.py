"""Whatever is written, the answer is a configuration or a list of mistakes."""

import copy
import tomllib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.base.errors import ConfigError
from calibrant.config.assemble import assemble
from calibrant.config.document import DOCUMENT
from calibrant.config.embed import embed
from calibrant.config.merge import merge
from calibrant.config.problem import Problem, dotted
from calibrant.config.shape import did_you_mean, prune

LARGE = Path(__file__).parents[2] / "fixtures" / "config" / "large" / "tensorzero.toml"
TREE = tomllib.loads(LARGE.read_text())

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "x", "static", "a\0b", "{% include x %}"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "path", "x", ""]), inner, max_size=2)
    ),
    max_leaves=4,
).filter(lambda value: value is not None)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))


PLACES = [path for path in places(TREE) if path]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3))
def test_no_document_makes_it_stumble(changes):
    tree = copy.deepcopy(TREE)
    for path, value in changes:
        table = tree
        for key in path[:-1]:
            table = table.get(key) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table[path[-1]] = value
    written, origins, _ = merge({str(LARGE): tree})
    pruned, faults = prune(written, DOCUMENT)
    embedded, problems = embed(pruned, origins)
    problems += [Problem("f", dotted(fault.path), fault.problem, fault.remedy) for fault in faults]
    try:
        assemble(embedded, written=written, origins=origins, canonical=b"", problems=problems)
    except ConfigError:
        return
    assert not problems


def test_what_fits_is_left_as_it_is():
    assert prune(TREE, DOCUMENT) == (TREE, [])


def test_paths_read_as_toml():
    assert dotted(("models", "team::m", "routing", 0)) == 'models."team::m".routing[0]'


def test_advice():
    assert did_you_mean("gatway", ["gateway", "models"]) == "did you mean 'gateway'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: 'a', 'b'"
    assert did_you_mean("zzz", []) == "there is none to name"
