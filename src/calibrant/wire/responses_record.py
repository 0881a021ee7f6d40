"""A response as the record has it: what `GET /openai/v1/responses/{id}` answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from calibrant.base.ids import id_millis
from calibrant.types.content import OutputBlock
from calibrant.types.message import Input
from calibrant.types.reply import FinishReason, Usage
from calibrant.types.request import NO_PARAMS, Params
from calibrant.types.rows import InferenceRow
from calibrant.types.tool import Specific, ToolConfig
from calibrant.wire.responses_ids import response_id
from calibrant.wire.responses_items import Status, echoed, names_of, status_of, to_items, usage_body

__all__ = ["encode_recorded"]

_json = msgspec.json.Encoder().encode
_RESERVED = "tensorzero::"
_STATUS: dict[str, Status] = {"error": "failed", "interrupted": "failed", "running": "in_progress"}


class _Params(msgspec.Struct):
    chat_completion: Params = NO_PARAMS


def encode_recorded(row: InferenceRow, content: Sequence[OutputBlock]) -> bytes:
    """Return the response object of a recorded inference.

    Args:
        row: The record; what of its payloads was not kept is left at its default.
        content: The answer.
    """
    status, details = _STATUS.get(row.status), None
    if status is None:
        status, details = status_of(_reason(row.finish_reason))
    tools = _read(row.tool_params, ToolConfig) or ToolConfig()
    output = to_items(row.id, content, names_of(tools.custom), complete=status == "completed")
    usage = Usage(row.input_tokens, row.output_tokens)
    failed = {"code": "server_error", "message": row.error_message or row.error_code or row.status}
    return _json(
        {
            "id": response_id(row.id),
            "object": "response",
            "created_at": id_millis(row.id) // 1000,
            "status": status,
            "error": failed if status == "failed" else None,
            "incomplete_details": details,
            "model": _model(row),
            "output": output,
            "usage": usage_body(usage, row.cost, "tensorzero"),
            "previous_response_id": row.tags.get("tensorzero::previous_response_id"),
            "inference_id": row.id,
            "episode_id": row.episode_id,
            **echoed(_fields(row, tools)),
        }
    )


def _reason(text: str | None) -> FinishReason | None:
    return msgspec.convert(text, FinishReason | None)


def _model(row: InferenceRow) -> str:
    if row.function_name == "tensorzero::default":
        return row.variant_name
    return f"tensorzero::function_name::{row.function_name}::variant_name::{row.variant_name}"


def _fields(row: InferenceRow, tools: ToolConfig) -> dict[str, Raw]:
    given = _read(row.input, Input)
    params = (_read(row.inference_params, _Params) or _Params()).chat_completion
    found: dict[str, Any] = {
        "instructions": given.system if given is not None and isinstance(given.system, str) else None,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "max_output_tokens": params.max_tokens,
        "metadata": {key: value for key, value in row.tags.items() if not key.startswith(_RESERVED)},
        "parallel_tool_calls": tools.parallel,
        "tools": [
            *(
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                    "strict": tool.strict,
                }
                for tool in tools.tools
            ),
            *({"type": "custom", "name": tool.name, "description": tool.description} for tool in tools.custom),
        ],
        "tool_choice": (
            {"type": "function", "name": tools.choice.specific} if isinstance(tools.choice, Specific) else tools.choice
        ),
    }
    return {name: Raw(_json(value)) for name, value in found.items()}


def _read(payload: bytes | None, kind: type[Any]) -> Any:
    # A redaction hook may have made anything of it.
    try:
        return None if payload is None else msgspec.json.decode(payload, type=kind)
    except msgspec.MsgspecError:
        return None
