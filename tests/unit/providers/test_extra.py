from __future__ import annotations

import msgspec
import pytest

from calibrant.base.errors import ProviderError
from calibrant.providers.extra import changed
from calibrant.types.call import HttpCall
from calibrant.types.extra import ExtraBody, ExtraHeader, Scope

CALL = HttpCall("POST", "https://x.test", (("content-type", "application/json"), ("x-old", "1")), b"")


def body(document: object, *extras: ExtraBody) -> object:
    call = msgspec.structs.replace(CALL, body=msgspec.json.encode(document))
    return msgspec.json.decode(changed(call, extras, ()).body)


def put(pointer: str, value: object) -> ExtraBody:
    return ExtraBody(pointer, value)


def drop(pointer: str) -> ExtraBody:
    return ExtraBody(pointer, delete=True)


@pytest.mark.parametrize(
    ("before", "extra", "after"),
    [
        ({"a": 1}, put("/b", 2), {"a": 1, "b": 2}),
        ({"a": 1}, put("/a", None), {"a": None}),
        ({}, put("/a/b/c", [1]), {"a": {"b": {"c": [1]}}}),
        ({"a": {"b": 1}}, put("/a/c", 2), {"a": {"b": 1, "c": 2}}),
        ({"a": [1, 2]}, put("/a/0", 9), {"a": [9, 2]}),
        ({"a": [1, 2]}, put("/a/2", 9), {"a": [1, 2, 9]}),
        ({"a": [1, 2]}, put("/a/-", 9), {"a": [1, 2, 9]}),
        ({"a": [{"b": 1}]}, put("/a/0/b", 2), {"a": [{"b": 2}]}),
        ({"a": []}, put("/a/-/b", 2), {"a": [{"b": 2}]}),
        ({}, put("/a~1b/~0c", 1), {"a/b": {"~c": 1}}),
        ({}, put("/", 1), {"": 1}),
        ({"a": 1, "b": 2}, drop("/a"), {"b": 2}),
        ({"a": [1, 2, 3]}, drop("/a/1"), {"a": [1, 3]}),
        ({"a": [1]}, drop("/a/1"), {"a": [1]}),
        ({"a": 1}, drop("/x/y/z"), {"a": 1}),
    ],
)
def test_a_change(before: object, extra: ExtraBody, after: object) -> None:
    assert body(before, extra) == after


def test_a_later_change_sees_an_earlier_one() -> None:
    assert body({}, put("/a", {"b": 1}), put("/a/c", 2), drop("/a/b")) == {"a": {"c": 2}}


@pytest.mark.parametrize(
    ("pointer", "says"),
    [
        ("", "the whole body"),
        ("/a/b", "no object or list"),
        ("/l/x", "no place in a list of 1"),
        ("/l/3", "no place in a list of 1"),
        ("/l/-1", "no place"),
        ("/a/b/c", "no object or list"),
    ],
)
@pytest.mark.parametrize("make", [lambda p: put(p, 1), drop])
def test_a_pointer_that_leads_nowhere_is_named(pointer: str, says: str, make) -> None:
    with pytest.raises(ProviderError, match=says) as caught:
        body({"a": 1, "l": [1]}, make(pointer))
    assert repr(pointer) in caught.value.message
    assert not caught.value.retryable


def test_headers_are_set_replaced_and_taken_away() -> None:
    extras = (ExtraHeader("x-new", "2"), ExtraHeader("x-old", None), ExtraHeader("content-type", "text/x"))
    assert dict(changed(CALL, (), extras).headers) == {"x-new": "2", "content-type": "text/x"}


def test_nothing_to_change_changes_nothing() -> None:
    assert changed(CALL, (), ()) is CALL


def test_what_a_scope_holds() -> None:
    assert Scope().holds("v", "m", "p")
    assert Scope(model_name="m", provider_name="p").holds("v", "m", "p")
    assert not Scope(model_name="m", provider_name="q").holds("v", "m", "p")
    assert not Scope(variant_name="w").holds("v", "m", "p")
