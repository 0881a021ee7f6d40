"""What an error of AWS means. Which one it is stands in a header, in the body, or in a header of an event.

Source: docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html and the errors of each
operation in docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import msgspec

from calibrant.apischema.aws import AwsError
from calibrant.base.errors import Refused
from calibrant.providers.refusal import MAX_MESSAGE, UNREADABLE, refused
from calibrant.types.call import Headers

__all__ = ["aws_refusal_in", "aws_refused", "refused_in_stream"]

_decode = msgspec.json.Decoder(AwsError).decode

_AGAIN = frozenset(
    {"InternalDependencyException", "InternalFailure", "InternalServerException", "InternalStreamFailure"}
    | {"ModelErrorException", "ModelNotReadyException", "ModelStreamError", "ModelStreamErrorException"}
    | {"ModelTimeoutException", "ServiceQuotaExceededException", "ServiceUnavailable", "ServiceUnavailableException"}
    | {"ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
_NEVER = frozenset(
    {"AccessDeniedException", "ConflictException", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature"}
    | {"InvalidSignatureException", "MissingAuthenticationToken", "ResourceNotFoundException"}
    | {"UnknownOperationException", "UnrecognizedClientException", "ValidationError", "ValidationException"}
)
_RETRYABLE = frozenset({408, 409, 429})
_SERVER_ERROR = 500
_STREAM_OK = 200


def aws_refused(provider: str, status: int, headers: Headers, body: bytes) -> Refused:
    """Return what an error status means."""
    error = _decoded(body)
    kind = _kind(next((value for name, value in headers if name == "x-amzn-errortype"), ""), error)
    wait = tuple(("retry-after-ms", value) for name, value in headers if name == "x-amz-retry-after")
    return refused(
        provider, status, (*headers, *wait), body, message=_message(kind, error), retryable=_retryable(kind, error)
    )


def aws_refusal_in(provider: str, body: bytes) -> Refused | None:
    """Return the error that a body brings in spite of its good status, if it brings one."""
    error = _decoded(body)
    kind = _kind("", error)
    message = _message(kind, error)
    if not message:
        return None
    return _in_spite(provider, body, message, _retryable(kind, error))


def refused_in_stream(provider: str, kind: str, payload: bytes, detail: str = "") -> Refused:
    """Return the error that ends a stream.

    Args:
        provider: The provider's name.
        kind: The event's own name of the error, such as `throttlingException`.
        payload: The event's body.
        detail: The message, where a header has it.
    """
    kind = kind[:1].upper() + kind[1:]
    error = _decoded(payload)
    message = f"{kind}: {detail}" if detail else _message(kind, error)
    return _in_spite(provider, payload, message or "no message", _retryable(kind, error))


def _in_spite(provider: str, body: bytes, message: str, retryable: bool | None) -> Refused:
    # What is unknown may pass: a fallback costs less than an answer that never comes.
    return Refused(
        f"provider {provider!r} sent an error: {message[:MAX_MESSAGE]}",
        upstream_status=_STREAM_OK,
        raw_response=body,
        retryable=retryable is not False,
    )


def _decoded(body: bytes) -> AwsError:
    try:
        return _decode(body)
    except UNREADABLE:
        return AwsError()


def _kind(header: str, error: AwsError) -> str:
    kind = header
    if not kind:
        kind = error.kind or (error.Output.kind if error.Output is not None else None)
    # `com.amazonaws.bedrock#ThrottlingException:http://internal.amazon.com/coral/...`
    return kind.partition(":")[0].rpartition("#")[2] if isinstance(kind, str) else ""


def _message(kind: str, error: AwsError) -> str:
    found = error.message if error.message is not None else error.Message
    text = found if isinstance(found, str) else "" if found is None else msgspec.json.encode(found).decode()
    return ": ".join(part for part in (kind, text) if part)


def _retryable(kind: str, error: AwsError) -> bool | None:
    """Return whether trying again may help; null where only the status can say."""
    original = error.originalStatusCode if error.originalStatusCode is not None else error.OriginalStatusCode
    if isinstance(original, int):
        return original in _RETRYABLE or original >= _SERVER_ERROR
    return True if kind in _AGAIN else False if kind in _NEVER else None
