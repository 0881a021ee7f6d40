"""Items, parts and tools of the Responses dialect by their `type`: described here for the documentation.

Our codec reads them in a second step (`wire/responses_input.py`), and writes those of answers piece by piece.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from calibrant.apischema.own import prefixed
from calibrant.apischema.responses_body import Reasoned, ReferenceItem, Sound

__all__ = [
    "AnsweredItem",
    "CustomResult",
    "FunctionResult",
    "InputItem",
    "InputMessage",
    "InputPart",
    "OfferedTool",
    "ReasoningGiven",
]

_SIDES = Literal["user", "assistant", "system", "developer"]
_State = Literal["in_progress", "completed", "incomplete", "failed"]

# --- what callers send ---


class _Arguments(Struct, frozen=True, kw_only=True, rename=prefixed):
    text: str | UnsetType = UNSET
    tensorzero_arguments: dict[str, Any] | UnsetType = UNSET
    """In the place of `text`: arguments of the template that is named after the role."""
    calibrant_arguments: dict[str, Any] | UnsetType = UNSET


class _InputText(_Arguments, frozen=True, tag_field="type", tag="input_text"):
    """Text."""


class _OutputText(_Arguments, frozen=True, tag_field="type", tag="output_text"):
    """Text of an earlier answer."""


class _PlainText(_Arguments, frozen=True, tag_field="type", tag="text"):
    """Text."""


class _Refusal(Struct, frozen=True, tag_field="type", tag="refusal"):
    """What a model said instead of an answer."""

    refusal: str


class _InputImage(Struct, frozen=True, kw_only=True, tag_field="type", tag="input_image"):
    """An image."""

    image_url: str | None = None
    """Its address, or a data URL."""
    detail: str | None = None
    file_id: str | None = None
    """Of a file that a provider of the dialect keeps."""


class _InputFile(Struct, frozen=True, kw_only=True, tag_field="type", tag="input_file"):
    """A document: by its address, inline, or one that a provider of the dialect keeps."""

    file_url: str | None = None
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _InputAudio(Struct, frozen=True, tag_field="type", tag="input_audio"):
    """A sound."""

    input_audio: Sound


class _Template(Struct, frozen=True, tag_field="type", tag="tensorzero::template"):
    """Arguments for a template of the variant, by its name."""

    name: str
    arguments: dict[str, Any]


class _OurTemplate(_Template, frozen=True, tag="calibrant::template"):
    """Arguments for a template of the variant, by its name."""


class _RawText(Struct, frozen=True, tag_field="type", tag="tensorzero::raw_text"):
    """Text that no template may touch."""

    value: str


class _OurRawText(_RawText, frozen=True, tag="calibrant::raw_text"):
    """Text that no template may touch."""


InputPart = (
    _InputText
    | _OutputText
    | _PlainText
    | _Refusal
    | _InputImage
    | _InputFile
    | _InputAudio
    | _Template
    | _OurTemplate
    | _RawText
    | _OurRawText
)
"""A part of a message."""


class InputMessage(Struct, frozen=True):
    """One turn."""

    role: _SIDES
    content: str | list[Any]
    type: Literal["message"] = "message"


class _FunctionCall(Struct, frozen=True, tag_field="type", tag="function_call"):
    """A call of a function that a model made."""

    call_id: str
    name: str
    arguments: str


class _CustomCall(Struct, frozen=True, tag_field="type", tag="custom_tool_call"):
    """A call of a custom tool that a model made."""

    call_id: str
    name: str
    input: str


class FunctionResult(Struct, frozen=True, tag_field="type", tag="function_call_output"):
    """What a function answered."""

    call_id: str
    output: str | list[Any]
    name: str | None = None
    """Of the function, where the call is in an answer that is gone on from. Ours."""


class CustomResult(FunctionResult, frozen=True, tag="custom_tool_call_output"):
    """What a custom tool answered."""


class ReasoningGiven(Reasoned, frozen=True, tag_field="type", tag="reasoning"):
    """Reasoning of an earlier answer, as it came."""


class _Reference(ReferenceItem, frozen=True, tag_field="type", tag="item_reference"):
    """An item of an earlier answer, by its id."""


InputItem = _FunctionCall | _CustomCall | FunctionResult | CustomResult | ReasoningGiven | _Reference
"""An item of the input that is no message."""


class _OfferedFunction(Struct, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    """JSON Schema of its arguments; where it is left out, it has none."""
    strict: bool | None = None


class _FormText(Struct, frozen=True, tag_field="type", tag="text"):
    """Any text."""


class _FormGrammar(Struct, frozen=True, tag_field="type", tag="grammar"):
    """Text that a grammar allows."""

    syntax: Literal["lark", "regex"]
    definition: str


class _OfferedCustom(Struct, frozen=True, kw_only=True, tag_field="type", tag="custom"):
    """A tool that the model may call with text."""

    name: str
    description: str | None = None
    format: _FormText | _FormGrammar | None = None


OfferedTool = _OfferedFunction | _OfferedCustom
"""A tool that the caller runs."""

# --- what callers get ---


class _ItemText(Struct, frozen=True, tag_field="type", tag="output_text"):
    """Text."""

    text: str
    annotations: list[Any]


class _ItemRefusal(Struct, frozen=True, tag_field="type", tag="refusal"):
    """What a model said instead of an answer."""

    refusal: str


class _ItemMessage(Struct, frozen=True, tag_field="type", tag="message"):
    """What the model said."""

    id: str
    status: _State
    role: Literal["assistant"]
    content: list[_ItemText | _ItemRefusal]


class _ItemCall(Struct, frozen=True, tag_field="type", tag="function_call"):
    """A call of a function, arguments as the model wrote them."""

    id: str
    call_id: str
    name: str
    arguments: str
    status: _State


class _ItemCustomCall(Struct, frozen=True, tag_field="type", tag="custom_tool_call"):
    """A call of a custom tool, and the text that it is given."""

    id: str
    call_id: str
    name: str
    input: str


class _ItemReasoning(Struct, frozen=True, tag_field="type", tag="reasoning"):
    """Reasoning, to be sent back as it is."""

    id: str
    summary: list[Any]
    content: list[Any] | UnsetType = UNSET
    encrypted_content: str | UnsetType = UNSET


class _ItemUnknown(Struct, frozen=True, tag_field="type", tag="unknown"):
    """What a provider of another dialect said, as it came."""

    id: str
    data: Any


AnsweredItem = _ItemMessage | _ItemCall | _ItemCustomCall | _ItemReasoning | _ItemUnknown
"""An item of an answer."""
