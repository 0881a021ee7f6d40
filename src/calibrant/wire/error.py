"""The body of an error answer, in the shape of each dialect.

Native routes answer `{"error": "..."}`, OpenAI's `{"error": {"message": "..."}}`, Anthropic's
`{"type": "error", "error": {"type": "...", "message": "..."}}`. Which status goes with it is the error's own business;
which shape, the route's.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from calibrant.base.errors import CalibrantError

__all__ = ["ErrorShape", "encode_error"]

ErrorShape = Literal["native", "openai", "anthropic"]

_encode = msgspec.json.Encoder().encode


def encode_error(error: CalibrantError, shape: ErrorShape, *, error_json: bool = False) -> bytes:
    """Return the JSON body that tells a client what went wrong.

    Args:
        error: What went wrong.
        shape: Whose dialect the client speaks.
        error_json: Whether to add the error as a value (`gateway.unstable_error_json`); that form may change.
    """
    # A message may quote what a client sent, and half a surrogate pair cannot be written as UTF-8.
    message = error.message.encode("utf-8", "replace").decode("utf-8")
    if shape == "native":
        native: dict[str, Any] = {"error": message}
        if error_json:
            native["error_json"] = _details(error, message)
        if error.provider_answers:
            native["raw_response"] = error.provider_answers
        return _encode(native)
    if shape == "anthropic":
        theirs: dict[str, Any] = {
            "type": "error",
            "error": {"type": _anthropic_type(error), "message": message},
        }
        if error_json:
            theirs["error"]["error_json"] = _details(error, message)
        if error.provider_answers:
            theirs["tensorzero_raw_response"] = error.provider_answers
        return _encode(theirs)
    body: dict[str, Any] = {"message": message}
    if error.param is not None:
        body |= {"type": "invalid_request_error", "param": error.param, "code": error.code}
    if error_json:
        details = _details(error, message)
        body["error_json"] = details
        body["tensorzero_error_json"] = details
    if error.provider_answers:
        return _encode({"error": body, "tensorzero_raw_response": error.provider_answers})
    return _encode({"error": body})


_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def _anthropic_type(error: CalibrantError) -> str:
    fallback = "invalid_request_error" if error.status < 500 else "api_error"
    return _ANTHROPIC.get(error.status, fallback)


def _details(error: CalibrantError, message: str) -> dict[str, Any]:
    return {type(error).__name__: {"message": message, "code": error.code, "retryable": error.retryable}}
