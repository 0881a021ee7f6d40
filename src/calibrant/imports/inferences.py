"""Inferences and their model calls, from TensorZero's rows to ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast, get_args
from uuid import UUID

import msgspec

from calibrant.imports.blocks import Tools, Unmappable, document, to_blocks, to_input, to_json_value, to_tools
from calibrant.types.money import text_of, total
from calibrant.types.reply import FinishReason, Usage, usage_of
from calibrant.types.rows import InferenceRow, Inferred, ModelInferenceRow
from calibrant.types.tool import ToolConfig

__all__ = ["KEY_TAG", "to_call", "to_id", "to_inferred", "to_tags", "unkept"]

_encode = msgspec.json.Encoder().encode
_NAMESPACE: Final = "tensorzero::namespace"
KEY_TAG: Final = "tensorzero::api_key_public_id"
"""The key that an inference was made with."""
_FINISH: Final = frozenset(get_args(FinishReason))
_NO_TOOLS: Final = Tools()


def to_inferred(row: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], *, function_type: str) -> Inferred:
    """Return the record of an inference and of the calls that it made.

    Args:
        row: Of `chat_inferences` or `json_inferences`.
        calls: Of `model_inferences`, by id.
        function_type: `chat` or `json`.

    Raises:
        Unmappable: one of them cannot be one of ours.
    """
    variant_name = _text(row, "variant_name")
    made = tuple(to_call(call, variant_name, attempt) for attempt, call in enumerate(calls, 1))
    used = usage_of([Usage(call.input_tokens, call.output_tokens) for call in made]) if made else Usage()
    tags = to_tags(row)
    chat = function_type == "chat"
    given = to_input(row.get("input"))
    tools = to_tools(row) if chat else _NO_TOOLS
    ttft = row.get("ttft_ms")
    schema = row.get("output_schema")
    inference = InferenceRow(
        id=to_id(row, "id"),
        episode_id=(episode_id := to_id(row, "episode_id")),
        function_name=_text(row, "function_name"),
        variant_name=variant_name,
        function_type=function_type,
        status="ok",
        snapshot_hash=row.get("snapshot_hash") or "",
        # Only what was streamed has a first token of its own.
        stream=ttft is not None,
        namespace=tags.get(_NAMESPACE),
        unit=episode_id,
        # Of several calls nobody says which one is the answer.
        finish_reason=made[0].finish_reason if len(made) == 1 else None,
        processing_ms=_millis(row.get("processing_time_ms")),
        ttft_ms=_millis(ttft),
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost=total([call.cost for call in made]),
        key_id=tags.get(KEY_TAG),
        tags=tags,
        input=None if given is None else _encode(given),
        output=_output(row.get("output"), chat=chat),
        inference_params=_kept(row.get("inference_params"), "inference_params"),
        tool_params=_tool_params(tools),
        output_schema=_kept(schema, "output_schema"),
    )
    return Inferred(inference, made)


def to_call(row: Mapping[str, Any], variant_name: str, attempt: int) -> ModelInferenceRow:
    """Return a model call.

    Args:
        row: Of `model_inferences`.
        variant_name: Of the inference that it was made for.
        attempt: Which it was, from 1.

    Raises:
        Unmappable: it cannot be one of ours.
    """
    given, made = row.get("input_tokens"), row.get("output_tokens")
    finish = row.get("finish_reason")
    if finish is not None and finish not in _FINISH:
        raise Unmappable(f"model inference {row.get('id')}: finish_reason is {finish!r:.40}")
    return ModelInferenceRow(
        id=to_id(row, "id"),
        inference_id=to_id(row, "inference_id"),
        attempt=attempt,
        variant_name=variant_name,
        model_name=_text(row, "model_name"),
        provider_name=_text(row, "model_provider_name"),
        # The source does not say of which type a provider is.
        provider_type="unknown",
        status="ok",
        http_status=200,
        finish_reason=finish,
        input_tokens=given,
        output_tokens=made,
        cache_read_tokens=row.get("provider_cache_read_input_tokens"),
        cache_write_tokens=row.get("provider_cache_write_input_tokens"),
        usage_source="none" if given is None and made is None else "reported",
        cost=_cost(row.get("cost")),
        response_ms=_millis(row.get("response_time_ms")),
        ttft_ms=_millis(row.get("ttft_ms")),
        cached=bool(row.get("cached")),
        raw_request=_bytes(row.get("raw_request")),
        raw_response=_bytes(row.get("raw_response")),
    )


def unkept(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns of an inference that say something and have no place of their own with us.

    What they did stands in the raw requests of the calls.
    """
    names = ("extra_body", "dynamic_provider_tools", "auxiliary_content")
    return tuple(name for name in names if (row.get(name) or "").strip() not in ("", "[]", "{}", "null", '""'))


def to_id(row: Mapping[str, Any], name: str) -> str:
    """Return an id of a row, in the canonical form.

    Raises:
        Unmappable: it is none that says when it was made.
    """
    try:
        found = UUID(str(row.get(name)))
    except ValueError:
        raise Unmappable(f"{name} is {row.get(name)!r:.60}, which is no UUID") from None
    if found.version != 7:
        raise Unmappable(f"{name} is a UUID of version {found.version}, which does not say when it was made")
    return str(found)


def to_tags(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a row.

    Raises:
        Unmappable: they are no texts by name.
    """
    found: object = row.get("tags") or {}
    if not isinstance(found, dict):
        raise Unmappable("tags are no object")
    tags = cast("dict[Any, Any]", found)
    if not all(isinstance(each, str) for pair in tags.items() for each in pair):
        raise Unmappable("tags have values that are no text")
    return tags


def _output(text: str | None, *, chat: bool) -> bytes | None:
    made = to_blocks(text) if chat else to_json_value(text)
    return None if made is None else _encode(made)


def _tool_params(tools: Tools) -> bytes | None:
    if tools == _NO_TOOLS:
        return None
    choice = "auto" if tools.choice is None else tools.choice
    return _encode(ToolConfig(tools.tools, choice, tools.parallel, tools.custom, tools.allowed))


def _kept(text: str | None, what: str) -> bytes | None:
    # As it was written, once it is known to be a document.
    return None if document(text, what) is None or text is None else text.encode()


def _text(row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    if not isinstance(found, str):
        raise Unmappable(f"{name} is {found!r:.60}, which is no text")
    return found


def _bytes(text: str | None) -> bytes | None:
    return None if not text else text.encode("utf-8", "surrogatepass")


def _millis(value: float | None) -> float | None:
    return None if value is None else float(value)


def _cost(value: Any) -> str | None:
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise Unmappable(f"cost is {value!r:.40}, which is no amount") from None
    if not amount.is_finite() or amount < 0:
        raise Unmappable(f"cost is {value!r:.40}, which is no amount")
    return text_of(amount)
