from __future__ import annotations

from calibrant.apischema.openai_chat import AnswerFunction, AnswerToolCall
from calibrant.providers.call_pieces import CallPieces
from calibrant.types.reply import TextDelta, ToolCallDelta


def piece(own_id: str | None = None, name: str | None = None, text: str | None = None, index: int | None = None):
    return AnswerToolCall(id=own_id, function=AnswerFunction(name, text), index=index)


def test_an_id_that_comes_late_does_not_split_the_call() -> None:
    calls = CallPieces(json_tool=True)
    assert calls.add(piece(None, "f", "{", 0)) == ToolCallDelta("call_0", "{", "f")
    assert calls.add(piece("x", None, "}", 0)) == ToolCallDelta("call_0", "}")


def test_a_name_that_comes_late_is_told_then() -> None:
    calls = CallPieces(json_tool=True)
    assert calls.add(piece("a", None, None, 0)) is None
    assert calls.add(piece(None, "f", "", 0)) == ToolCallDelta("a", "", "f")
    assert calls.add(piece(None, "f", "{}", 0)) == ToolCallDelta("a", "{}")
    assert not calls.only_json


def test_numbers_need_not_start_at_0_or_be_in_order() -> None:
    calls = CallPieces(json_tool=True)
    assert calls.add(piece("a", "f", "", 3)) == ToolCallDelta("a", "", "f")
    assert calls.add(piece("b", "g", "", 1)) == ToolCallDelta("b", "", "g")
    assert calls.add(piece(None, None, "1", 3)) == ToolCallDelta("a", "1")
    assert calls.add(piece(None, None, "2", 1)) == ToolCallDelta("b", "2")


def test_a_piece_without_a_function_adds_nothing() -> None:
    calls = CallPieces(json_tool=True)
    assert calls.add(AnswerToolCall(id="a", index=0)) is None
    assert calls.add(piece(None, "f", "{}", 0)) == ToolCallDelta("a", "{}", "f")


def test_the_json_tool_is_text() -> None:
    calls = CallPieces(json_tool=True)
    assert calls.add(piece("a", "respond", "", 0)) is None
    assert calls.add(piece(None, None, "{}", 0)) == TextDelta("a", "{}")
    assert calls.only_json
    assert calls.add(piece("b", "f", "{}", 1)) == ToolCallDelta("b", "{}", "f")
    assert not calls.only_json
