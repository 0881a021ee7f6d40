"""The adapter for endpoints of Amazon SageMaker whose container speaks chat completions (`hosted_provider`).

The body is the container's own; its events come as the payload of AWS's event stream, cut anywhere.

Source: docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html and
API_runtime_InvokeEndpointWithResponseStream.html
"""

from __future__ import annotations

from urllib.parse import quote

from msgspec.structs import replace

from calibrant.base.errors import ConfigError, ProviderError
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.aws import aws_service
from calibrant.providers.aws_refusal import aws_refused
from calibrant.providers.base import StreamDecoder
from calibrant.providers.chat_answer import decode_answer
from calibrant.providers.chat_request import encode_request
from calibrant.providers.chat_stream import ChatStreamDecoder
from calibrant.providers.compatible import COMPATIBLE
from calibrant.providers.eventstream_decoder import EventStreamDecoder
from calibrant.types.call import Headers, HttpCall, ModelCall
from calibrant.types.reply import Chunk, Reply

__all__ = ["SageMaker"]

_HOSTED = ("openai", "tgi")
_HEADERS: Headers = (("content-type", "application/json"),)
_PAYLOAD = "PayloadPart"


class SageMaker:
    """Speaks chat completions to the container of one endpoint."""

    __slots__ = ("_provider", "_service", "_stream_url", "_think_blocks", "_url", "_vendor")

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call.

        Raises:
            ConfigError: a key that says where the endpoint is, or what its container speaks, is missing or wrong.
        """
        name, hosted = provider.options.get("endpoint_name"), provider.options.get("hosted_provider")
        if not name:
            raise ConfigError(f"provider {provider.name!r} ({provider.type}) needs `endpoint_name`")
        if hosted not in _HOSTED:
            raise ConfigError(
                f"provider {provider.name!r} ({provider.type}): `hosted_provider` is {hosted!r}; it may be "
                f"{' or '.join(repr(one) for one in _HOSTED)}"
            )
        # What is said of the container is said of this provider.
        # What a container serves is no model of the vendor's, so it has none of what only those have.
        self._vendor = replace(COMPATIBLE[hosted], type=provider.type, custom_tools=False, allowed_tools=False)
        self._provider = provider
        self._service = aws_service(provider, "runtime.sagemaker", "sagemaker")
        endpoint = f"{self._service.base}/endpoints/{quote(name, safe='-._~')}"
        self._url = f"{endpoint}/invocations"
        self._stream_url = f"{endpoint}/invocations-response-stream"
        asked = provider.parse_think_blocks
        self._think_blocks = self._vendor.think_blocks if asked is None else asked

    def encode(self, call: ModelCall) -> HttpCall:
        """Return the request. No secret is in it.

        Raises:
            ProviderError: the call asks for what the container does not take.
        """
        url = self._stream_url if call.stream else self._url
        return HttpCall("POST", url, _HEADERS, encode_request(self._provider, self._vendor, call), call.stream)

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with AWS's signature; a plain key becomes a bearer token, for a stand-in of AWS.

        Raises:
            ProviderError: the region of the signature is nowhere to be found.
        """
        return self._service.sign(http, secret, now)

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer.

        Raises:
            Refused: SageMaker or the container sent an error, whatever the status.
            BadAnswer: the body is not a chat completion.
        """
        if not 200 <= status < 300:
            raise self.error(status, headers, body)
        return decode_answer(
            self._provider.name,
            self._provider.type,
            status,
            headers,
            body,
            think_blocks=self._think_blocks,
            json_tool=json_tool,
        )

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        provider = self._provider
        inner = ChatStreamDecoder(
            provider.name,
            provider.type,
            think_blocks=self._think_blocks,
            json_tool=json_tool,
            discard_unknown=provider.discard_unknown_chunks,
        )
        return _PartsDecoder(provider.name, inner)

    def error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """Return what an error status means; one of the container's comes as a `ModelError` with its own status."""
        return aws_refused(self._provider.name, status, headers, body)


class _PartsDecoder(EventStreamDecoder):
    """Takes the container's stream out of AWS's."""

    __slots__ = ("_inner",)

    def __init__(self, provider: str, inner: ChatStreamDecoder) -> None:
        super().__init__(provider)
        self._inner = inner

    def _event(self, kind: str, payload: bytes) -> list[Chunk]:
        return self._inner.feed(payload) if kind == _PAYLOAD else []

    def _rest(self) -> list[Chunk]:
        return self._inner.close()

    def _whole(self) -> bool:
        # The inner stream says it better: its own end raises.
        return True
