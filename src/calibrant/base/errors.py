"""Every exception that Calibrant raises on purpose.

    CalibrantError
    ├── ConfigError                    the configuration cannot be used (exit status 2)
    ├── RequestError                   the caller's request cannot be served as it stands
    │   ├── InvalidRequest       400   malformed body, wrong field, wrong type
    │   │   ├── InputInvalid     400   an argument breaks the function's JSON Schema
    │   │   ├── FileUnavailable  400   a file that the request names cannot be fetched
    │   │   ├── MissingCredential 400  a `dynamic::` credential was not sent
    │   │   └── Inexpressible    400   what a request asks for has no words in the provider's dialect
    │   ├── Unauthorized         401   no API key, or one that is not good
    │   ├── Forbidden            403   the API key is good, but not for this
    │   ├── NotFound             404   unknown route, function, variant, metric
    │   │   └── ResponseNotFound 404   no such stored response, or it is another's
    │   ├── MethodNotAllowed     405
    │   ├── RequestTimeout       408   the client was too slow to send its request
    │   ├── ConfirmationRefused  409   too few sealed items, no error budget left, or it was confirmed already
    │   ├── PayloadTooLarge      413
    │   ├── UnsupportedEncoding  415   a Content-Encoding that we cannot undo
    │   ├── ExpectationFailed    417   an Expect other than 100-continue
    │   ├── HeadersTooLarge      431
    │   └── NotImplementedYet    501   a documented feature that this version does not have
    ├── InferenceError                 the request was fine, an inference failed
    │   ├── ProviderError              one call of one provider; never leaves the gateway unwrapped
    │   │   ├── Unreachable            refused, no DNS, TLS failure, proxy refused
    │   │   ├── Disconnected           the connection broke before the answer was complete
    │   │   ├── Truncated              the stream ended without its end marker
    │   │   ├── BadAnswer              the answer is not what the protocol promises
    │   │   └── Refused                the provider answered with an error status
    │   ├── InferenceTimeout     408   a provider, model or variant ran out of time
    │   │   └── Stalled          408   a stream fell silent
    │   ├── ClientDisconnected   499   whoever asked has left, and the configuration says to stop then
    │   ├── ProvidersExhausted   500   each provider of one model failed
    │   ├── AllVariantsFailed    502   each variant of the function failed
    │   ├── AllCandidatesFailed  502   each candidate of one variant failed
    │   └── RenderError          500   a template cannot be rendered
    ├── SpoolFull                503   no room to record the inference, so it is not started
    ├── StoreUnavailable         503   the database cannot be asked now
    ├── EvaluatorFailed          500   an evaluator cannot score an item, or the user's code in it failed
    ├── InternalError            500   a fault of ours
    └── ClientError                    what `calibrant.Client` raises: `calibrant.client.errors` draws it

Each class has a stable `code` for machines, an HTTP `status`, and says whether trying again may
help (`retryable`). A message says what was wrong, where, and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "AllCandidatesFailed",
    "AllVariantsFailed",
    "BadAnswer",
    "CalibrantError",
    "ClientDisconnected",
    "ConfigError",
    "ConfirmationRefused",
    "Disconnected",
    "EvaluatorFailed",
    "ExpectationFailed",
    "FileUnavailable",
    "Forbidden",
    "HeadersTooLarge",
    "Inexpressible",
    "InferenceError",
    "InferenceTimeout",
    "InputInvalid",
    "InternalError",
    "InvalidRequest",
    "MethodNotAllowed",
    "MissingCredential",
    "NotFound",
    "NotImplementedYet",
    "PayloadTooLarge",
    "ProviderError",
    "ProvidersExhausted",
    "Refused",
    "RenderError",
    "RequestError",
    "RequestTimeout",
    "ResponseNotFound",
    "SpoolFull",
    "Stalled",
    "StoreUnavailable",
    "Truncated",
    "Unauthorized",
    "Unreachable",
    "UnsupportedEncoding",
]


class CalibrantError(Exception):
    """The root: `except CalibrantError` catches what we raise and nothing else."""

    code = "internal_error"
    """Stable name for machines; recorded in rows and metrics."""
    status = 500
    """HTTP status of the answer."""
    retryable = False
    """Whether the same call may succeed if it is made again."""
    param: str | None = None
    """The field of the request that is at fault, where clients are told of it apart from the message."""

    def __init__(self, message: str) -> None:
        """Keep the sentence that the caller will read."""
        super().__init__(message)
        self.message = message
        self.provider_answers: tuple[object, ...] = ()
        """What the providers had answered, where the caller asked to see it."""


class ConfigError(CalibrantError):
    """The configuration cannot be used; the message lists every mistake, one a line."""

    code = "config_error"


class RequestError(CalibrantError):
    """The caller's request cannot be served as it stands."""

    code = "invalid_request"
    status = 400


class InvalidRequest(RequestError):
    """Malformed body, wrong field, wrong type, fields that exclude each other."""


class InputInvalid(InvalidRequest):
    """An argument of the input breaks the JSON Schema that the function declares for it."""

    code = "input_invalid"


class FileUnavailable(InvalidRequest):
    """A file that the request names by its address cannot be fetched, or is not what may be fetched."""

    code = "file_unavailable"


class MissingCredential(InvalidRequest):
    """The configuration asks for a credential that the request did not bring."""

    code = "missing_credential"


class Inexpressible(InvalidRequest):
    """What a request asks for has no words in the dialect of the provider that would serve it."""

    code = "inexpressible"


class Unauthorized(RequestError):
    """The request has no API key of the gateway, or one that is not good."""

    code = "unauthorized"
    status = 401

    def __init__(self, message: str, *, reason: str) -> None:
        """Keep the sentence, and a word for metrics."""
        super().__init__(f"TensorZero authentication error: {message}")
        self.reason = reason


class Forbidden(RequestError):
    """The API key is good, but does not open what was asked for."""

    code = "forbidden"
    status = 403

    def __init__(self, message: str, *, reason: str) -> None:
        """Keep the sentence, and a word for metrics."""
        super().__init__(message)
        self.reason = reason


class NotFound(RequestError):
    """Unknown route, function, variant, metric or model."""

    code = "not_found"
    status = 404


class ConfirmationRefused(RequestError):
    """A confirmation would show too little, has no budget left, or was made already. Nothing was read or spent."""

    code = "confirmation_refused"
    status = 409


class ResponseNotFound(NotFound):
    """There is no such stored response, or it is not the caller's."""

    code = "previous_response_not_found"
    param = "previous_response_id"


class MethodNotAllowed(RequestError):
    """The route exists, the method does not."""

    code = "method_not_allowed"
    status = 405


class RequestTimeout(RequestError):
    """The client was too slow to send its request."""

    code = "request_timeout"
    status = 408


class PayloadTooLarge(RequestError):
    """The body is larger than the gateway accepts, as sent or once decompressed."""

    code = "payload_too_large"
    status = 413


class UnsupportedEncoding(RequestError):
    """The body came in a Content-Encoding that we cannot undo."""

    code = "unsupported_encoding"
    status = 415


class ExpectationFailed(RequestError):
    """The request expects something of the server that it does not do."""

    code = "expectation_failed"
    status = 417


class HeadersTooLarge(RequestError):
    """The request's head is larger, or has more fields, than the gateway accepts."""

    code = "headers_too_large"
    status = 431


class NotImplementedYet(RequestError):
    """A documented feature that this version does not have; the message names it."""

    code = "not_implemented"
    status = 501


class InferenceError(CalibrantError):
    """The request was fine; the inference failed."""

    code = "inference_failed"
    status = 500


class ProviderError(InferenceError):
    """One call of one provider failed.

    The provider's status, body and advice are kept for the record; the caller of the gateway
    never sees that status as the gateway's own.
    """

    code = "provider_error"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        upstream_status: int | None = None,
        raw_response: bytes = b"",
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        """Keep what the provider said.

        Args:
            message: What went wrong, for a person.
            upstream_status: The provider's HTTP status, if it got so far.
            raw_response: The provider's body, for the record.
            retry_after: Seconds that the provider asked us to wait.
            retryable: Overrides the class where the instance knows better.
        """
        super().__init__(message)
        self.upstream_status = upstream_status
        self.raw_response = raw_response
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable


class Unreachable(ProviderError):
    """Refused, no such host, TLS failure, or the proxy would not connect."""

    code = "provider_unreachable"


class Disconnected(ProviderError):
    """The connection broke before the answer was complete."""

    code = "provider_disconnected"


class Truncated(ProviderError):
    """A stream ended without its end marker."""

    code = "provider_truncated"


class BadAnswer(ProviderError):
    """The answer is not what the provider's protocol promises."""

    code = "provider_bad_answer"


class Refused(ProviderError):
    """The provider answered with an error status."""

    code = "provider_refused"


class InferenceTimeout(InferenceError):
    """A provider, a model or a variant ran out of the time that the configuration gives it."""

    code = "timeout"
    status = 408
    retryable = True


class Stalled(InferenceTimeout):
    """A stream paused for longer than the configuration lets it."""


class ClientDisconnected(InferenceError):
    """Whoever asked has left before the answer was whole, and the configuration says to stop then."""

    code = "client_disconnected"
    status = 499


class ProvidersExhausted(InferenceError):
    """Each provider of one model failed; the message lists why."""

    code = "providers_exhausted"


class AllVariantsFailed(InferenceError):
    """Each variant that may serve the function failed; the message lists why."""

    code = "all_variants_failed"
    status = 502


class AllCandidatesFailed(InferenceError):
    """Each candidate of a variant that makes one answer of several failed; the message lists why."""

    code = "all_candidates_failed"
    status = 502


class RenderError(InferenceError):
    """A template cannot be rendered with the input given."""

    code = "render_error"


class SpoolFull(CalibrantError):
    """There is no room to record the inference, so it is not started."""

    code = "spool_full"
    status = 503
    retryable = True


class StoreUnavailable(CalibrantError):
    """The database cannot be asked now."""

    code = "store_unavailable"
    status = 503
    retryable = True


class EvaluatorFailed(CalibrantError):
    """An evaluator cannot score an item; the message names the evaluator and says why."""

    code = "evaluator_failed"


class InternalError(CalibrantError):
    """A fault of ours; the caller learns only that it happened."""
