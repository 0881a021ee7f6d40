"""Contents in every form that they were ever stored in."""

import json

import msgspec
import pytest

from calibrant.imports.blocks import Unmappable, to_blocks, to_input, to_json_value, to_tools
from calibrant.types.content import File, RawText, Template, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.datapoint import JsonValue
from calibrant.types.storage import DisabledStorage, FilesystemStorage, S3Storage, StoragePath
from calibrant.types.tool import CustomTool, Grammar, Specific, Tool

KEPT = {"kind": {"type": "s3_compatible", "bucket_name": "b", "region": "eu"}, "path": "observability/files/ab.png"}
OURS = StoragePath(S3Storage("b", "eu"), "observability/files/ab.png")


def block(given, role="user"):
    made = to_input(json.dumps({"messages": [{"role": role, "content": [given]}]}))
    return made.messages[0].content[0]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "text", "text": "Hi"}, Text("Hi")),
        ({"type": "text", "value": "Hi"}, Text("Hi")),
        ({"type": "text", "text": ""}, Text("")),
        ({"type": "text", "value": {"n": 1}}, Template("user", {"n": 1})),
        ({"type": "text", "arguments": {"n": 1}}, Template("user", {"n": 1})),
        ({"type": "template", "name": "t", "arguments": {"n": 1}}, Template("t", {"n": 1})),
        ({"type": "raw_text", "value": "{{x}}"}, RawText("{{x}}")),
        ({"type": "tool_call", "id": "c", "name": "f", "arguments": '{"a": 1}'}, ToolCall("c", "f", '{"a": 1}')),
        ({"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}}, ToolCall("c", "f", '{"a":1}')),
        ({"type": "tool_result", "id": "c", "name": "f", "result": "r"}, ToolResult("c", "f", "r")),
        ({"type": "thought", "text": "Hm", "signature": None}, Thought("Hm")),
        (
            {"type": "thought", "text": None, "signature": "s", "_internal_provider_type": "anthropic"},
            Thought(None, "s", None, "anthropic"),
        ),
        ({"type": "unknown", "data": {"x": 1}}, Unknown({"x": 1})),
        (
            {
                "type": "unknown",
                "data": 1,
                "model_provider_name": "tensorzero::model_name::openai::m::provider_name::openai",
            },
            Unknown(1, "openai::m", "openai"),
        ),
        ({"type": "unknown", "data": 1, "model_name": "m", "provider_name": "p"}, Unknown(1, "m", "p")),
        (
            {"type": "file", "file": {"url": "https://x/a.png", "mime_type": "image/png"}, "storage_path": KEPT},
            File(mime_type="image/png", source_url="https://x/a.png", storage_path=OURS),
        ),
        (
            {"type": "image", "image": {"url": None, "mime_type": "image/png"}, "storage_path": KEPT},
            File(mime_type="image/png", storage_path=OURS),
        ),
        (
            {
                "type": "file",
                "source_url": None,
                "mime_type": "application/pdf",
                "storage_path": {"kind": {"type": "filesystem", "path": "/data"}, "path": "observability/files/x"},
                "detail": "low",
                "filename": "a.pdf",
            },
            File(
                mime_type="application/pdf",
                detail="low",
                filename="a.pdf",
                storage_path=StoragePath(FilesystemStorage("/data"), "observability/files/x"),
            ),
        ),
        (
            {"type": "file", "mime_type": "image/png", "storage_path": {"kind": {"type": "disabled"}, "path": "p"}},
            File(mime_type="image/png", storage_path=StoragePath(DisabledStorage(), "p")),
        ),
    ],
)
def test_blocks_of_inputs(given, wanted):
    assert block(given) == wanted


def test_arguments_without_a_name_are_of_the_roles_template():
    assert block({"type": "text", "value": {"n": 1}}, role="assistant") == Template("assistant", {"n": 1})


def test_messages_and_the_system():
    made = to_input('{"system": {"tone": "dry"}, "messages": [{"role": "assistant", "content": "Hi"}]}')
    assert made.system == {"tone": "dry"}
    assert made.messages[0].content == (Text("Hi"),)
    assert to_input('{"messages": []}').messages == ()


@pytest.mark.parametrize("gone", [None, "", "null"])
def test_what_is_gone_is_null(gone):
    assert to_input(gone) is None
    assert to_blocks(gone) is None
    assert to_json_value(gone) is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("{", "input is no JSON"),
        ("[]", "input is no object"),
        ('{"messages": 1}', "input.messages is no list"),
        ('{"messages": [{"role": "system", "content": []}]}', r"input.messages\[0\].role is 'system'"),
        ('{"messages": [{"role": "user", "content": [{"type": "text"}]}]}', "neither text nor arguments"),
        ('{"messages": [{"role": "user", "content": [{"type": "video"}]}]}', "video"),
        ('{"messages": [{"role": "user", "content": [{"type": "file", "mime_type": "a/b"}]}]}', "storage_path"),
    ],
)
def test_what_cannot_be_an_input_says_why(given, why):
    with pytest.raises(Unmappable, match=why):
        to_input(given)


def test_outputs_of_chat_functions():
    call = {"type": "tool_call", "id": "c", "name": None, "arguments": None, "raw_name": "f", "raw_arguments": "{"}
    made = to_blocks(json.dumps([{"type": "text", "text": "Hi"}, call]))
    assert made == (Text("Hi"), ToolCall("c", "f", "{"))
    assert to_blocks('"Hi"') == (Text("Hi"),)
    with pytest.raises(Unmappable, match="tool_result"):
        to_blocks('[{"type": "tool_result", "id": "c", "name": "f", "result": "r"}]')


def test_outputs_of_json_functions_keep_their_digits():
    made = to_json_value('{"raw": "{\\"n\\": 1.50}", "parsed": {"n": 1.50}}')
    assert made.raw == '{"n": 1.50}'
    assert bytes(made.parsed) == b'{"n": 1.50}'
    assert to_json_value('{"raw": null, "parsed": null}') == JsonValue(None, msgspec.Raw(b"null"))
    with pytest.raises(Unmappable, match=r"output\.raw"):
        to_json_value('{"raw": 1}')


def test_tools_by_todays_columns():
    tool = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
    custom = {
        "type": "openai_custom",
        "name": "g",
        "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a"}},
    }  # noqa: E501
    provider = {"scope": {"model_name": "m", "provider_name": "p"}, "tool": {"type": "web_search"}}
    tools = to_tools(
        {
            "dynamic_tools": json.dumps([{"type": "function", **tool}, custom]),
            "allowed_tools": '{"tools": ["f"], "choice": "explicit"}',
            "tool_choice": '{"specific": "f"}',
            "parallel_tool_calls": True,
            "dynamic_provider_tools": json.dumps([provider]),
        }
    )
    assert tools.tools == (Tool("f", "d", {"type": "object"}, strict=True),)
    assert tools.custom == (CustomTool("g", "", Grammar("regex", "a")),)
    assert (tools.allowed, tools.choice, tools.parallel) == (("f",), Specific("f"), True)
    assert tools.provider[0].tool == {"type": "web_search"}
    assert (tools.provider[0].scope.model_name, tools.provider[0].scope.provider_name) == ("m", "p")


def test_tools_by_the_column_that_had_them_all():
    old = {"tools_available": [{"name": "f", "description": "d", "parameters": {}}], "tool_choice": "required"}
    tools = to_tools({"tool_params": json.dumps(old | {"parallel_tool_calls": False})})
    assert tools.tools == (Tool("f", "d", {}),)
    assert (tools.choice, tools.parallel, tools.allowed) == ("required", False, None)


@pytest.mark.parametrize(
    ("allowed", "wanted"),
    [
        (None, None),
        ('{"tools": [], "choice": "function_default"}', None),
        ('{"tools": ["a"], "choice": "function_default"}', ("a",)),
        ('{"tools": [], "choice": "explicit"}', ()),
    ],
)
def test_which_tools_were_allowed(allowed, wanted):
    assert to_tools({"allowed_tools": allowed}).allowed == wanted


@pytest.mark.parametrize("choice", ["auto", '"auto"'])
def test_a_choice_with_its_quotes_or_without(choice):
    assert to_tools({"tool_choice": choice}).choice == "auto"
