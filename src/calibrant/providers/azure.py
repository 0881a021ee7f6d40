"""The adapter for Azure OpenAI: OpenAI's chat completions at a resource's own address, with content filters.

A prompt that the filter stops is answered with status 400, or with an error in the stream; that is an answer, not a
failure: it ends as `content_filter`, with the filter's verdict in `finish_detail`.
Source: learn.microsoft.com/en-us/azure/ai-foundry/openai/reference.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from calibrant.base.errors import ConfigError, Refused
from calibrant.config.schema import Provider
from calibrant.config.secret import Credentials
from calibrant.providers.base import StreamDecoder
from calibrant.providers.chat_stream import ChatStreamDecoder
from calibrant.providers.compatible import COMPATIBLE
from calibrant.providers.openai_chat import OpenAIChat
from calibrant.providers.openai_embeddings import OpenAIEmbeddings
from calibrant.providers.refusal import UNREADABLE
from calibrant.providers.sign import key_header
from calibrant.types.call import Headers, HttpCall
from calibrant.types.reply import Chunk, Reply, Usage

__all__ = ["Azure", "AzureEmbeddings", "azure_url"]

_VERSION = "2025-04-01-preview"
_FILTERED: Final = "content_filter"


class _Inner(Struct, frozen=True):
    content_filter_result: msgspec.Raw = msgspec.Raw()
    content_filter_results: msgspec.Raw = msgspec.Raw()


class _Error(Struct, frozen=True):
    code: Any = None
    innererror: _Inner = _Inner()


class _Body(Struct, frozen=True):
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Body).decode


def azure_url(provider: Provider, what: str) -> str:
    """Return the address of an operation: of the deployment, or of the resource's `/openai/v1` where that is given.

    Raises:
        ConfigError: the provider lacks `endpoint`.
    """
    endpoint = str(provider.options.get("endpoint") or "").rstrip("/")
    if not endpoint:
        raise ConfigError(f"provider {provider.name!r}: the type {provider.type!r} needs endpoint")
    if endpoint.endswith("/openai/v1"):
        return f"{endpoint}/{what}"
    return f"{endpoint}/openai/deployments/{provider.model_name}/{what}?api-version={_VERSION}"


class Azure(OpenAIChat):
    """Speaks chat completions to one deployment."""

    __slots__ = ()

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call.

        Raises:
            ConfigError: the provider lacks `endpoint`.
        """
        super().__init__(provider, COMPATIBLE["azure"], "")
        self._url = azure_url(provider, "chat/completions")

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the key in `api-key`; unchanged where there is none."""
        return key_header(http, secret, "api-key")

    def decode(self, status: int, headers: Headers, body: bytes, *, json_tool: bool = True) -> Reply:
        """Return the whole answer; a prompt that the filter stopped has one without content.

        Raises:
            Refused: the provider sent another error, whatever the status.
            BadAnswer: the body is not a chat completion.
        """
        try:
            return super().decode(status, headers, body, json_tool=json_tool)
        except Refused:
            verdict = _verdict(body)
            if verdict is None:
                raise
            return Reply((), Usage(), _FILTERED, body, finish_detail=verdict)

    def decoder(self, *, json_tool: bool = True) -> StreamDecoder:
        """Return a decoder for one streamed answer."""
        return _Decoder(
            self._provider.name,
            self._vendor.type,
            think_blocks=self._think_blocks,
            json_tool=json_tool,
            discard_unknown=self._provider.discard_unknown_chunks,
        )


class _Decoder(ChatStreamDecoder):
    __slots__ = ()

    def _failed(self, event: bytes) -> Chunk:
        verdict = _verdict(event)
        if verdict is None:
            return super()._failed(event)
        self._finished = True
        return Chunk(tuple(self._held()), finish_reason=_FILTERED, raw=event, finish_detail=verdict)


class AzureEmbeddings(OpenAIEmbeddings):
    """Speaks embeddings to one deployment."""

    __slots__ = ()

    def __init__(self, provider: Provider) -> None:
        """Keep what is the same for every call.

        Raises:
            ConfigError: the provider lacks `endpoint`.
        """
        super().__init__(provider, azure_url(provider, "embeddings"))

    def sign(self, http: HttpCall, secret: Credentials | None, now: float) -> HttpCall:
        """Return the request with the key in `api-key`; unchanged where there is none."""
        return key_header(http, secret, "api-key")


def _verdict(body: bytes) -> bytes | None:
    """Return what the filter found in the prompt, or null where the error is another one."""
    try:
        error = _decode(body).error
    except UNREADABLE:
        return None
    if error is None or error.code != _FILTERED:
        return None
    found = error.innererror
    return bytes(found.content_filter_result) or bytes(found.content_filter_results) or b"{}"
