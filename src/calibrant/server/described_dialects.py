"""What blocks, items and tools of Anthropic's and the Responses dialect are, by their `type`; for `described.py`.

Those of types that are not listed are no fault: they go as they are to a provider of the dialect, and to no other.
"""

from __future__ import annotations

from types import UnionType
from typing import Any, Final, cast, get_args

from msgspec import Struct

from calibrant.apischema import anthropic_request, responses_body, told, told_blocks, told_items

__all__ = ["DIALECTS_READ_AS", "tags_of"]


def tags_of(kinds: UnionType) -> list[str]:
    """Return the values of `type` by which Structs are told apart."""
    return [str(cast("type[Struct]", kind).__struct_config__.tag) for kind in get_args(kinds)]


def _others(*known: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Of another type: as a provider of the dialect has it.",
        "properties": {"type": {"type": "string", "not": {"enum": list(known)}}},
        "required": ["type"],
    }


_BLOCKS: Final = [(told_blocks.MessageBlock, _others(*tags_of(told_blocks.MessageBlock)))]
_PARTS: Final = [(told_items.InputPart, _others(*tags_of(told_items.InputPart)))]
_ITEMS: Final = [
    (told_items.InputMessage, told_items.InputItem, _others("message", *tags_of(told_items.InputItem))),
]
_TOOL: Final = (told_blocks.CallerTool, _others("custom"))
_OFFERED: Final = (told_items.OfferedTool, _others(*tags_of(told_items.OfferedTool)))
_SAID: Final = (told_blocks.AnsweredBlock, _others(*tags_of(told_blocks.AnsweredBlock)))
_MADE: Final = (told_items.AnsweredItem, _others(*tags_of(told_items.AnsweredItem)))

DIALECTS_READ_AS: Final[dict[tuple[type, str], Any]] = {
    (anthropic_request.MessagesBody, "system"): (str, [told_blocks.MessageText], None),
    (anthropic_request.MessagesBody, "tools"): ([_TOOL], None),
    (anthropic_request.MessageBody, "content"): (str, _BLOCKS),
    (anthropic_request.ToolUseBody, "input"): dict[str, Any],
    (anthropic_request.ToolResultBody, "content"): (str, [told_blocks.PartOfResult], None),
    (anthropic_request.SourceBody, "content"): (str, [told_blocks.MessageText | told_blocks.MessageImage], None),
    (told_blocks.CallerTool, "type"): {"type": "string", "const": "custom"},
    (responses_body.ResponsesBody, "input"): (str, _ITEMS, None),
    (responses_body.ResponsesBody, "tools"): ([_OFFERED], None),
    (told_items.InputMessage, "content"): (str, _PARTS),
    (told_items.FunctionResult, "output"): (str, _PARTS),
    (told.MessageAnswer, "content"): [_SAID],
    (told.ResponseBody, "output"): [_MADE],
}
"""As `READ_AS` of `described.py`."""
