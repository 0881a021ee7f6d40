from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.contract.providers.calls import user
from tests.contract.providers.cases import provider

from calibrant.base.errors import ProviderError
from calibrant.providers.gemini_contents import to_contents
from calibrant.types.content import File, RawText, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message

STUDIO, VERTEX = provider("google_ai_studio_gemini"), provider("gcp_vertex_gemini")
YOUTUBE = "https://www.youtube.com/watch?v=x"


def contents(*messages: Message, of: Any = STUDIO) -> Any:
    return msgspec.json.decode(msgspec.json.encode(to_contents(of, messages)))


def parts(*blocks: Any, of: Any = STUDIO) -> Any:
    return contents(user(*blocks), of=of)[0]["parts"]


def test_addresses_that_ai_studio_knows_the_type_of() -> None:
    uploaded = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    assert parts(File(url=YOUTUBE), File(url=uploaded, mime_type="video/mp4")) == [
        {"fileData": {"fileUri": YOUTUBE}},
        {"fileData": {"fileUri": uploaded, "mimeType": "video/mp4"}},
    ]


def test_vertex_wants_the_type_of_each() -> None:
    with pytest.raises(ProviderError, match="`mime_type`"):
        parts(File(url=YOUTUBE), of=VERTEX)


def test_a_file_with_neither_type_nor_ending() -> None:
    with pytest.raises(ProviderError, match="`mime_type`"):
        parts(File(data="aGk="))
    assert parts(File(data="aGk=", filename="A.PDF"))[0]["inlineData"]["mimeType"] == "application/pdf"


def test_two_signatures_without_anything_between_them() -> None:
    own = STUDIO.type
    signed = (Thought(None, "YQ==", provider_type=own), Thought(None, "Yg==", provider_type=own), Text("x"))
    assert parts(*signed) == [{"text": "", "thoughtSignature": "YQ=="}, {"text": "x", "thoughtSignature": "Yg=="}]


def test_a_signature_of_the_other_api_means_nothing() -> None:
    assert parts(Thought("hm", "YQ==", provider_type=VERTEX.type), Text("x")) == [{"text": "x"}]


def test_an_unknown_part_takes_a_signature_too() -> None:
    found = parts(Thought(None, "YQ==", provider_type=STUDIO.type), Unknown({"x": 1}, provider_name=STUDIO.name))
    assert found == [{"x": 1, "thoughtSignature": "YQ=="}]


def test_a_turn_that_says_nothing_is_left_out() -> None:
    assert contents(user(Text("a")), Message("assistant", (Text(""),)), user(Text("b"))) == [
        {"role": "user", "parts": [{"text": "a"}]},
        {"role": "user", "parts": [{"text": "b"}]},
    ]


def test_a_result_of_a_call_that_is_not_in_the_conversation_comes_last() -> None:
    call = Message("assistant", (ToolCall("a", "f", "{}"),))
    (results,) = [
        content["parts"]
        for content in contents(call, user(ToolResult("z", "g", "1"), ToolResult("a", "", "2")))
        if content["role"] == "user"
    ]
    assert [part["functionResponse"]["name"] for part in results] == ["f", "g"]


@pytest.mark.parametrize("result", ["", "sunny", "[1]", "12", '{"a":', "[" * 20_000])
def test_a_result_that_is_no_object(result: str) -> None:
    found = parts(ToolResult("a", "f", result))
    assert found[0]["functionResponse"]["response"] == {"output": result}


@pytest.mark.parametrize("arguments", ['{"a":', "[]", "1", "[" * 20_000])
def test_arguments_that_are_no_object(arguments: str) -> None:
    with pytest.raises(ProviderError, match="`arguments`"):
        contents(Message("assistant", (ToolCall("a", "f", arguments),)))


def test_a_block_that_should_have_been_rendered() -> None:
    with pytest.raises(ProviderError, match="RawText"):
        parts(RawText("x"))
