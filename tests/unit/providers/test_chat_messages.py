from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.contract.providers.calls import WEATHER, make

from calibrant.base.errors import ProviderError
from calibrant.types.call import ModelCall
from calibrant.types.content import File, RawText, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message
from calibrant.types.tool import ToolConfig

PDF = File(data="JVBER", mime_type="application/pdf", filename="a.pdf")
SOUND = File(data="UklG", mime_type="audio/mpeg")


def messages(kind: str, *said: Message, tools: ToolConfig | None = None) -> list[dict[str, Any]]:
    body = make(kind).encode(ModelCall(system=None, messages=said, tools=tools)).body
    return msgspec.json.decode(body)["messages"]


def part(kind: str, file: File) -> dict[str, Any]:
    (message,) = messages(kind, Message("user", (file,)))
    (found,) = message["content"]
    return found


def test_documents() -> None:
    address = "data:application/pdf;base64,JVBER"
    by_openai = {"type": "file", "file": {"filename": "a.pdf", "file_data": address}}
    assert part("openai", PDF) == part("openrouter", PDF) == part("vllm", PDF) == by_openai
    assert part("mistral", PDF) == {"type": "document_url", "document_url": address}


def test_documents_by_address() -> None:
    file = File(url="https://x.test/a.pdf?v=1")
    assert part("mistral", file)["document_url"] == "https://x.test/a.pdf?v=1"
    assert part("openrouter", file)["file"] == {"filename": "document", "file_data": "https://x.test/a.pdf?v=1"}
    with pytest.raises(ProviderError, match="by address"):
        part("openai", file)


def test_sound() -> None:
    assert part("openai", SOUND) == {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}}
    assert part("openai", File(data="x", mime_type="audio/flac"))["input_audio"]["format"] == "flac"
    assert part("mistral", SOUND) == {"type": "input_audio", "input_audio": "UklG"}
    with pytest.raises(ProviderError, match="no sound by address"):
        part("openai", File(url="https://x.test/a", mime_type="audio/wav"))


@pytest.mark.parametrize("kind", ["groq", "together", "fireworks", "xai", "sglang", "tgi"])
@pytest.mark.parametrize("file", [PDF, SOUND])
def test_a_file_without_a_form_is_an_error_that_stays(kind: str, file: File) -> None:
    with pytest.raises(ProviderError, match=f"my_{kind}.*takes no") as caught:
        part(kind, file)
    assert not caught.value.retryable


def test_several_texts_are_parts_or_one_text() -> None:
    said = Message("user", (Text("a"), Text("b")))
    assert messages("openai", said)[0]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    # DeepSeek takes a string and nothing else.
    assert messages("deepseek", said)[0]["content"] == "a\nb"


def test_results_keep_their_place_among_texts() -> None:
    said = Message(
        "user", (Text("before"), ToolResult("1", "f", "x"), ToolResult("2", "f", "y"), Text("after"), Text("all"))
    )
    assert [message["role"] for message in messages("openai", said)] == ["user", "tool", "tool", "user"]


def test_thoughts_go_back_to_where_they_came_from_only() -> None:
    def sent(kind: str, thought: Thought) -> dict[str, Any]:
        return messages(kind, Message("assistant", (thought, Text("Yes."))), tools=ToolConfig((WEATHER,)))[0]

    assert sent("deepseek", Thought("Hm.", provider_type="deepseek"))["reasoning_content"] == "Hm."
    assert sent("deepseek", Thought("Hm."))["reasoning_content"] == "Hm."
    for kind, thought in (
        ("deepseek", Thought("Hm.", provider_type="anthropic")),
        ("openai", Thought("Hm.", provider_type="openai")),
        ("deepseek", Thought(None, signature="s", provider_type="deepseek")),
    ):
        assert sent(kind, thought) == {"role": "assistant", "content": "Yes."}


def test_deepseek_gets_its_thoughts_in_conversations_with_tools_only() -> None:
    plain = Message("assistant", (Thought("Hm."), Text("Yes.")))
    calling = Message("assistant", (Thought("Hm."), ToolCall("1", "f", "{}")))
    assert "reasoning_content" not in messages("deepseek", plain)[0]
    assert messages("deepseek", plain, tools=ToolConfig((WEATHER,)))[0]["reasoning_content"] == "Hm."
    assert messages("deepseek", calling)[0] == {
        "role": "assistant",
        "reasoning_content": "Hm.",
        "tool_calls": [{"type": "function", "id": "1", "function": {"name": "f", "arguments": "{}"}}],
    }


def test_a_turn_of_which_nothing_is_left_is_left_out() -> None:
    said = Message("assistant", (Thought("Hm."),))
    assert messages("openai", said, Message("user", (Text("a"),))) == [{"role": "user", "content": "a"}]


def test_unknown_blocks_go_as_they_are_to_their_own_provider() -> None:
    data = {"type": "video_url", "video_url": {"url": "https://x.test/v"}}
    for owner in (None, "my_vllm"):
        said = Message("user", (Text("a"), Unknown(data, provider_name=owner)))
        assert messages("vllm", said)[0]["content"][1] == data
    assert messages("vllm", Message("user", (Text("a"), Unknown(data, provider_name="other"))))[0]["content"] == "a"


def test_a_block_that_should_have_been_rendered_is_an_error() -> None:
    with pytest.raises(ProviderError, match="RawText"):
        messages("openai", Message("user", (Text("a"), RawText("b"))))


def test_a_known_name_wins_over_the_raw_one() -> None:
    said = Message("assistant", (ToolCall("1", "get weather", "{}", name="get_weather"),))
    assert messages("openai", said)[0]["tool_calls"][0]["function"]["name"] == "get_weather"


def test_short_ids_are_stable_and_keep_what_fits() -> None:
    said = (
        Message("assistant", (ToolCall("D681PevKs", "f", "{}"), ToolCall("call_ü", "f", "{}"))),
        Message("user", (ToolResult("D681PevKs", "f", "x"), ToolResult("call_ü", "f", "y"))),
    )
    calling, first, second = messages("mistral", *said)
    fits, made = (call["id"] for call in calling["tool_calls"])
    assert fits == first["tool_call_id"] == "D681PevKs"
    assert made == second["tool_call_id"] and len(made) == 9 and made.isalnum() and made.isascii()
