"""Inputs and outputs as TensorZero stored them, in all the forms that it ever had, to ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Raw

from calibrant.types.content import InputBlock, OutputBlock
from calibrant.types.datapoint import JsonValue
from calibrant.types.extra import ProviderTool, Scope
from calibrant.types.message import Input
from calibrant.types.tool import CustomTool, Grammar, Specific, Tool, ToolChoice

__all__ = [
    "Tools",
    "Unmappable",
    "document",
    "to_blocks",
    "to_input",
    "to_json_value",
    "to_tools",
]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_raw_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_T = TypeVar("_T")
_ROLES = ("user", "assistant")
_CHOICES = ("none", "auto", "required")


class Unmappable(ValueError):
    """A row of the source that cannot become one of ours; the message says why."""


class Tools(msgspec.Struct, frozen=True):
    """What a row says of tools."""

    tools: tuple[Tool, ...] = ()
    custom: tuple[CustomTool, ...] = ()
    allowed: tuple[str, ...] | None = None
    choice: ToolChoice | None = None
    parallel: bool | None = None
    provider: tuple[ProviderTool, ...] = ()


def document(text: str | None, what: str) -> Any:
    """Return the value of a JSON text; null where there is none.

    Raises:
        Unmappable: it is no JSON.
    """
    if text is None or text == "":
        return None
    try:
        return _decode(text.encode())
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Unmappable(f"{what} is no JSON: {error}") from None


def to_input(text: str | None) -> Input | None:
    """Return an input; null where its payload is gone.

    Raises:
        Unmappable: it has a form that is not known.
    """
    given = document(text, "input")
    if given is None:
        return None
    found = _mapping(given, "input")
    messages = _list(found.get("messages") or (), "input.messages")
    made = [_message(each, f"input.messages[{at}]") for at, each in enumerate(messages)]
    system = found.get("system")
    return _converted({"messages": made} if system is None else {"messages": made, "system": system}, Input, "input")


def to_blocks(text: str | None, what: str = "output") -> tuple[OutputBlock, ...] | None:
    """Return the output of a chat function; null where its payload is gone.

    Raises:
        Unmappable: it has a form that is not known.
    """
    given = document(text, what)
    if given is None:
        return None
    content = [{"type": "text", "text": given}] if isinstance(given, str) else _list(given, what)
    blocks = [_block(each, "assistant", f"{what}[{at}]") for at, each in enumerate(content)]
    return _converted(blocks, tuple[OutputBlock, ...], what)


def to_json_value(text: str | None, what: str = "output") -> JsonValue | None:
    """Return the output of a JSON function; null where its payload is gone. `parsed` stays as it was written.

    Raises:
        Unmappable: it has a form that is not known.
    """
    given = document(text, what)
    if given is None or text is None:
        return None
    found = _mapping(given, what)
    raw = found.get("raw")
    if not isinstance(raw, str | None):
        raise Unmappable(f"{what}.raw is no text")
    return JsonValue(raw, _raw_fields(text.encode()).get("parsed", Raw(b"null")))


def to_tools(row: Mapping[str, Any]) -> Tools:
    """Return what a row says of tools, by today's columns or by the one that held them all once.

    Raises:
        Unmappable: one of them has a form that is not known.
    """
    old = _mapping(document(row.get("tool_params"), "tool_params") or {}, "tool_params")
    dynamic = document(row.get("dynamic_tools"), "dynamic_tools") or old.get("tools_available")
    allowed = _mapping(document(row.get("allowed_tools"), "allowed_tools") or {}, "allowed_tools")
    chosen = row.get("tool_choice")
    # A word, with its quotes or without.
    choice = chosen if chosen in _CHOICES else document(chosen, "tool_choice") or old.get("tool_choice")
    parallel = row.get("parallel_tool_calls")
    provider = document(row.get("dynamic_provider_tools"), "dynamic_provider_tools")
    each = [_mapping(tool, "dynamic_tools") for tool in _list(dynamic or (), "dynamic_tools")]
    names = _list(allowed.get("tools") or (), "allowed_tools.tools")
    return Tools(
        tools=tuple(_tool(tool) for tool in each if tool.get("type") != "openai_custom"),
        custom=tuple(_custom(tool) for tool in each if tool.get("type") == "openai_custom"),
        # By default they were all of the function's, which the list names; an empty one then says nothing.
        allowed=None
        if not names and allowed.get("choice") != "explicit"
        else _converted(names, tuple[str, ...], "allowed_tools"),
        choice=_choice(choice),
        parallel=bool(parallel) if parallel is not None else old.get("parallel_tool_calls"),
        provider=tuple(
            _provider(_mapping(tool, "dynamic_provider_tools"))
            for tool in _list(provider or (), "dynamic_provider_tools")
        ),
    )


def _message(given: Any, what: str) -> dict[str, Any]:
    message = _mapping(given, what)
    role = message.get("role")
    if role not in _ROLES:
        raise Unmappable(f"{what}.role is {role!r:.40}, not one of {', '.join(_ROLES)}")
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [_block(each, role, f"{what}.content[{at}]") for at, each in enumerate(_list(content, f"{what}.content"))]
    return {"role": role, "content": _converted(blocks, tuple[InputBlock, ...], f"{what}.content")}


def _block(given: Any, role: str, what: str) -> dict[str, Any]:
    block = dict(_mapping(given, what))
    kind = block.get("type")
    if kind == "text":
        return _text(block, role, what)
    if kind == "tool_call":
        # What the model wrote, and what came of it; inputs have only the first, under the names of the second.
        block.setdefault("raw_name", block.get("name"))
        if block.get("raw_arguments") is None:
            arguments = block.pop("arguments", "")
            block["raw_arguments"] = arguments if isinstance(arguments, str) else _encode(arguments).decode()
            block.pop("name", None)
        return block
    if kind == "thought":
        provider = block.pop("_internal_provider_type", None)
        return {"text": None, "provider_type": provider, **{k: v for k, v in block.items() if v is not None}}
    if kind == "unknown" and isinstance(both := block.pop("model_provider_name", None), str):
        # tensorzero::model_name::M::provider_name::P
        model, _, provider = both.removeprefix("tensorzero::model_name::").partition("::provider_name::")
        return {**block, "model_name": model or None, "provider_name": provider or None}
    if kind in ("file", "image"):
        return _file(block, what)
    return block


def _text(block: dict[str, Any], role: str, what: str) -> dict[str, Any]:
    value = block.get("text", block.get("value"))
    if isinstance(value, str):
        return {"type": "text", "text": value}
    arguments = block.get("arguments", value)
    if not isinstance(arguments, dict):
        raise Unmappable(f"{what} has neither text nor arguments")
    return {"type": "template", "name": role, "arguments": arguments}


def _file(block: dict[str, Any], what: str) -> dict[str, Any]:
    # Once `{"file": {"url", "mime_type"}, "storage_path"}`, and `image` before that; flat today.
    inner = block.get("file", block.get("image"))
    about = _mapping(inner, what) if isinstance(inner, dict) else block
    fields = {name: about.get(name) for name in ("mime_type", "detail", "filename")}
    fields["source_url"] = about.get("source_url") or about.get("url")
    fields["storage_path"] = block.get("storage_path")
    if fields["storage_path"] is None:
        raise Unmappable(f"{what} is a file without a storage_path")
    return {"type": "file", **{name: value for name, value in fields.items() if value is not None}}


def _tool(given: Mapping[str, Any]) -> Tool:
    fields = {name: given[name] for name in ("name", "description", "parameters", "strict") if name in given}
    return _converted({"description": "", "parameters": {}, **fields}, Tool, "dynamic_tools")


def _custom(given: Mapping[str, Any]) -> CustomTool:
    form = _mapping(given.get("format") or {}, "dynamic_tools.format")
    grammar = form.get("grammar")
    return CustomTool(
        name=_converted(given.get("name"), str, "dynamic_tools.name"),
        description=_converted(given.get("description") or "", str, "dynamic_tools.description"),
        grammar=None if grammar is None else _converted(grammar, Grammar, "dynamic_tools.format.grammar"),
    )


def _choice(given: Any) -> ToolChoice | None:
    if isinstance(given, dict):
        return _converted(given, Specific, "tool_choice")
    return None if given is None else _converted(given, str, "tool_choice")


def _provider(given: Mapping[str, Any]) -> ProviderTool:
    scope = _mapping(given.get("scope") or {}, "dynamic_provider_tools.scope")
    model = scope.get("model_name")
    provider = scope.get("provider_name", scope.get("model_provider_name"))
    return _converted(
        {"tool": given.get("tool"), "scope": Scope(model_name=model, provider_name=provider)},
        ProviderTool,
        "dynamic_provider_tools",
    )


def _mapping(given: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise Unmappable(f"{what} is no object")
    return cast("dict[str, Any]", given)


def _list(given: Any, what: str) -> list[Any]:
    if given == ():
        return []
    if not isinstance(given, list):
        raise Unmappable(f"{what} is no list")
    return cast("list[Any]", given)


def _converted(given: Any, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.convert(given, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unmappable(f"{what}: {error}") from None
