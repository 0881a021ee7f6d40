"""The body of an error answer, in the two shapes that the protocol has.

Native routes answer `{"error": "..."}`, OpenAI-compatible ones `{"error": {"message": "..."}}`. Which status goes
with it is the error's own business; which shape, the server's.
"""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.base.errors import CalibrantError

__all__ = ["encode_error"]

_encode = msgspec.json.Encoder().encode


def encode_error(error: CalibrantError, *, openai: bool, error_json: bool = False) -> bytes:
    """Return the JSON body that tells a client what went wrong.

    Args:
        error: What went wrong.
        openai: Whether the client speaks OpenAI's dialect.
        error_json: Whether to add the error as a value (`gateway.unstable_error_json`); that form may change.
    """
    # A message may quote what a client sent, and half a surrogate pair cannot be written as UTF-8.
    message = error.message.encode("utf-8", "replace").decode("utf-8")
    if not openai:
        native: dict[str, Any] = {"error": message}
        if error_json:
            native["error_json"] = _details(error, message)
        if error.provider_answers:
            native["raw_response"] = error.provider_answers
        return _encode(native)
    body: dict[str, Any] = {"message": message}
    if error_json:
        details = _details(error, message)
        body["error_json"] = details
        body["tensorzero_error_json"] = details
    if error.provider_answers:
        return _encode({"error": body, "tensorzero_raw_response": error.provider_answers})
    return _encode({"error": body})


def _details(error: CalibrantError, message: str) -> dict[str, Any]:
    return {type(error).__name__: {"message": message, "code": error.code, "retryable": error.retryable}}
