"""What the clients raise: one small tree, below `CalibrantError`.

    CalibrantError
    └── ClientError
        ├── CannotConnect          no connection: nothing was sent
        ├── ConnectionLost         it broke after the request was sent, or in the middle of a stream
        ├── TimedOut               the gateway was silent for longer than `timeout`
        ├── BadReply               what came is not what the protocol promises
        ├── StreamFailed           the gateway says, in the middle of a stream, that the inference failed
        └── GatewayError           the gateway answered with an error status
            ├── BadRequest         400, and every other 4xx that is not below
            ├── Unauthorized       401, 403
            ├── NotFound           404
            ├── Conflict           409
            │   └── ConfirmationRefused
            ├── RateLimited        429
            └── GatewayFailed      5xx, and what is no answer of a gateway at all, such as a redirect

No message holds an API key.
"""

from __future__ import annotations

from calibrant.base.errors import CalibrantError

__all__ = [
    "BadReply",
    "BadRequest",
    "CannotConnect",
    "ClientError",
    "ConfirmationRefused",
    "Conflict",
    "ConnectionLost",
    "GatewayError",
    "GatewayFailed",
    "NotFound",
    "RateLimited",
    "StreamFailed",
    "TimedOut",
    "Unauthorized",
]


class ClientError(CalibrantError):
    """The root of what the clients raise."""

    code = "client_error"
    status = 0
    """The HTTP status of the answer; 0 where there was none."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        text: str = "",
    ) -> None:
        """Keep what is known.

        Args:
            message: What went wrong, for a person.
            status: The HTTP status; 0 where there was no answer.
            code: The gateway's own code, where it told one; else that of the class.
            request_id: The answer's `x-request-id`, where a proxy or a gateway sent one.
            retry_after: Seconds that the gateway asked us to wait.
            text: The body of the answer, as it came.
        """
        super().__init__(message)
        self.status = status
        self.code = code or type(self).code
        self.request_id = request_id
        self.retry_after = retry_after
        self.text = text


class CannotConnect(ClientError):
    """There was no connection to the gateway, so nothing was sent."""

    code = "cannot_connect"
    retryable = True


class ConnectionLost(ClientError):
    """The connection broke after the request was sent: what became of it is unknown."""

    code = "connection_lost"


class TimedOut(ClientError):
    """The gateway was silent for longer than `timeout`: what became of the request is unknown."""

    code = "timed_out"


class BadReply(ClientError):
    """What came is not what the protocol promises."""

    code = "bad_reply"


class StreamFailed(ClientError):
    """The gateway says, in the middle of a stream, that the inference failed."""

    code = "stream_failed"


class GatewayError(ClientError):
    """The gateway answered with an error status."""

    code = "gateway_error"


class BadRequest(GatewayError):
    """The request cannot be served as it stands."""

    code = "invalid_request"


class Unauthorized(GatewayError):
    """No API key, one that is not good, or one that does not open this."""

    code = "unauthorized"


class NotFound(GatewayError):
    """There is no such route, function, variant, metric, dataset, datapoint, batch or run."""

    code = "not_found"


class Conflict(GatewayError):
    """What is there already does not allow it."""

    code = "conflict"


class ConfirmationRefused(Conflict):
    """A confirmation would show too little, has no error budget left, was made before, or was broken off.

    The message says which.
    """

    code = "confirmation_refused"


class RateLimited(GatewayError):
    """Too many requests; `retry_after` says when to come back, where the gateway told."""

    code = "rate_limited"
    retryable = True


class GatewayFailed(GatewayError):
    """The request was fine; the gateway, or all it could ask, failed."""

    code = "gateway_failed"
