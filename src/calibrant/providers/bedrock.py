"""The adapter for Amazon Bedrock's Converse.

Read in this order: `bedrock_request.py` with `bedrock_messages.py`, `bedrock_files.py` and `bedrock_model.py` (what is
sent), `bedrock_answer.py` (a whole answer), `bedrock_stream.py` with `bedrock_blocks.py` and `eventstream.py` (a
streamed one), `aws_refusal.py` (errors), `aws.py` with `sigv4.py` (where to, and the signature).
"""

from __future__ import annotations

from urllib.parse import quote

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.aws import aws_service
from calibrant.providers.aws_refusal import aws_refused
from calibrant.providers.base import StreamDecoder
from calibrant.providers.bedrock_answer import decode_converse
from calibrant.providers.bedrock_request import encode_converse
from calibrant.providers.bedrock_stream import ConverseStreamDecoder
from calibrant.types.call import Headers, HttpCall, ModelCall
from calibrant.types.reply import Reply

__all__ = ["BEDROCK_HEADERS", "Bedrock", "model_url"]

BEDROCK_HEADERS: Headers = (("content-type", "application/json"),)
"""What every request has."""


class Bedrock:
    """Speaks Converse to one model."""

    __slots__ = ("_provider", "_service", "_stream_url", "_url")

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call.

        Raises:
            ConfigError: the provider has neither `region` nor `endpoint_url`.
        """
        self._provider = provider
        self._service = aws_service(provider, "bedrock-runtime", "bedrock")
        self._url = model_url(self._service.base, provider, "converse")
        self._stream_url = model_url(self._service.base, provider, "converse-stream")

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call asks for what Converse does not take.
        """
        url = self._stream_url if call.stream else self._url
        return HttpCall("POST", url, BEDROCK_HEADERS, encode_converse(self._provider, call), call.stream)

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with AWS's signature, or with a key of Bedrock as a bearer token.

        Raises:
            ProviderError: the region of the signature is nowhere to be found.
        """
        return self._service.sign(http, secret, now)

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer.

        Raises:
            Refused: the provider sent an error, whatever the status.
            BadAnswer: the body is not an answer of Converse.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        return decode_converse(self._provider.name, self._provider.type, status, headers, body, json_tool=json_tool)

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        return ConverseStreamDecoder(
            self._provider.name,
            self._provider.type,
            json_tool=json_tool,
            discard_unknown=self._provider.discard_unknown_chunks,
        )

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means."""
        return aws_refused(self._provider.name, status, headers, body)


def model_url(base: str, provider: Provider, operation: str) -> str:
    """Return the address of an operation of the model, whose id may be an ARN, with colons and slashes in it."""
    return f"{base}/model/{quote(provider.model_name, safe='-._~')}/{operation}"
