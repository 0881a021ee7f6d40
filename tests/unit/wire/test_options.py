from __future__ import annotations

import msgspec
import pytest

from calibrant.base.errors import InvalidRequest
from calibrant.types.extra import EVERYWHERE, ExtraBody, ExtraHeader, ProviderTool, Scope
from calibrant.types.request import InferenceRequest
from calibrant.wire import native, openai_chat

NOW = 1_800_000_000_000
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


def by_native(**fields: object) -> InferenceRequest:
    return native.decode(msgspec.json.encode({"function_name": "f", "input": HELLO, **fields}), now_ms=NOW)


def by_openai(prefix: str = "tensorzero", **fields: object) -> InferenceRequest:
    ours = {f"{prefix}::{name}": value for name, value in fields.items()}
    body = {"model": f"{prefix}::function_name::f", **HELLO, **ours}
    return openai_chat.decode(msgspec.json.encode(body), now_ms=NOW)


readers = pytest.mark.parametrize("read", [by_native, by_openai, lambda **f: by_openai("calibrant", **f)])


@readers
def test_changes_are_read_with_their_scopes(read) -> None:
    request = read(
        extra_body=[
            {"pointer": "/a", "value": None},
            {"pointer": "/b", "delete": True, "variant_name": "v"},
            {"pointer": "/c", "value": [1], "model_name": "m", "provider_name": "p"},
        ],
        extra_headers=[{"name": "X-A", "value": "1"}, {"name": "x-b", "delete": True, "model_name": "m"}],
        provider_tools=[
            {"tool": {"type": "web"}},
            {"tool": {}, "scope": {"model_name": "m"}},
            {"tool": {}, "scope": None},
            {"tool": {}, "scope": {"model_name": "m", "model_provider_name": "p"}},
        ],
    )
    assert request.extra_body == (
        ExtraBody("/a", None),
        ExtraBody("/b", None, delete=True, scope=Scope("v")),
        ExtraBody("/c", [1], scope=Scope(None, "m", "p")),
    )
    assert request.extra_headers == (ExtraHeader("x-a", "1"), ExtraHeader("x-b", None, Scope(None, "m")))
    assert request.provider_tools == (
        ProviderTool({"type": "web"}),
        ProviderTool({}, Scope(None, "m")),
        ProviderTool({}, EVERYWHERE),
        ProviderTool({}, Scope(None, "m", "p")),
    )


@readers
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"extra_body": [{}]}, "extra_body[0]"),
        ({"extra_body": [{"pointer": "a", "value": 1}]}, "no JSON Pointer"),
        ({"extra_body": [{"pointer": "/a"}]}, "exactly one of `value` and `delete: true`"),
        ({"extra_body": [{"pointer": "/a", "value": 1, "delete": True}]}, "exactly one"),
        ({"extra_body": [{"pointer": "/a", "value": 1, "provider_name": "p"}]}, "goes with `model_name`"),
        ({"extra_body": [{"pointer": "/a", "value": 1, "variant_name": "v", "model_name": "m"}]}, "not for both"),
        ({"extra_body": [{"pointer": "/a", "value": 1, "other": 1}]}, "other"),
        ({"extra_headers": [{"name": "a b", "value": "1"}]}, "no name of a header"),
        ({"extra_headers": [{"name": "a", "value": "1\r\nb: 2"}]}, "no line break"),
        ({"extra_headers": [{"name": "a"}]}, "exactly one"),
        ({"extra_headers": [{"name": "Content-Length", "value": "1"}]}, "by the gateway alone"),
        ({"provider_tools": [{}]}, "provider_tools[0]"),
        ({"provider_tools": [{"tool": 1}]}, "provider_tools[0].tool"),
    ],
)
def test_what_is_wrong_is_named(read, fields, says) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert says in caught.value.message


@readers
def test_a_value_that_nests_too_deeply(read) -> None:
    deep: object = 1
    for _ in range(150):
        deep = [deep]
    for fields in ({"extra_body": [{"pointer": "/a", "value": deep}]}, {"provider_tools": [{"tool": {"a": deep}}]}):
        with pytest.raises(InvalidRequest, match="nested deeper"):
            read(**fields)


def test_raw_usage_brings_the_usage_of_a_stream() -> None:
    body = {"model": "tensorzero::function_name::f", **HELLO, "stream": True, "tensorzero::include_raw_usage": True}
    assert openai_chat.decode(msgspec.json.encode(body), now_ms=NOW).include_usage
    body["stream_options"] = {"include_usage": False}
    with pytest.raises(InvalidRequest, match="include_raw_usage"):
        openai_chat.decode(msgspec.json.encode(body), now_ms=NOW)
