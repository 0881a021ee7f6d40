"""Names, hashes, group keys."""

import pytest
from msgspec.structs import replace

from calibrant.base.errors import InvalidRequest
from calibrant.datasets.making import checked_dataset, checked_group_by, content_hash, group_key
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, ToolParams
from calibrant.types.message import Input, Message

CONTENT = Content("chat", "f", Input((Message("user", (Text("a"),)),)), (Text("b"),))


@pytest.mark.parametrize("name", ["", "builder", "tensorzero::x", "calibrant::", "a\0", "x" * 501])
def test_names_that_nobody_may_use(name):
    with pytest.raises(InvalidRequest, match="^dataset name: "):
        checked_dataset(name)


@pytest.mark.parametrize("name", ["a", "builder2", "ü / ?", "x" * 500, "tensorzero"])
def test_names(name):
    assert checked_dataset(name) == name


def test_ways_to_group():
    assert [checked_group_by(each) for each in ("episode", "datapoint", "tag::u")] == ["episode", "datapoint", "tag::u"]
    for bad in ("", "tag::", "tag", "user", "tag::a\0"):
        with pytest.raises(InvalidRequest, match="group_by"):
            checked_group_by(bad)


@pytest.mark.parametrize(
    ("group_by", "episode", "tags", "key"),
    [
        ("episode", "e", {}, "e"),
        ("episode", None, {"u": "1"}, "r"),
        ("datapoint", "e", {"u": "1"}, "r"),
        ("tag::u", "e", {"u": "1"}, "tag::u=1"),
        ("tag::u", "e", {"v": "1"}, "e"),
        ("tag::u", None, {}, "r"),
    ],
)
def test_group_keys(group_by, episode, tags, key):
    assert group_key(group_by, root_id="r", episode_id=episode, tags=tags) == key


def test_the_hash_is_of_all_of_the_content_and_lasts():
    # A stored hash is compared with new ones for as long as there are datasets.
    assert content_hash(CONTENT) == "b0b1347b51ea5dab437e5e7303a5f5c2957b68f98f289ca06d0d8e23da64c318"
    others = [
        replace(CONTENT, function_name="g"),
        replace(CONTENT, type="json"),
        replace(CONTENT, output=None),
        replace(CONTENT, output=()),
        replace(CONTENT, input=replace(CONTENT.input, system="")),
        replace(CONTENT, tools=ToolParams(allowed_tools=())),
        replace(CONTENT, output_schema={}),
    ]
    assert len({content_hash(each) for each in (CONTENT, *others)}) == 8
