from __future__ import annotations

import pytest
from tests.contract.providers.calls import PLAIN, make

from calibrant.base.errors import ConfigError
from calibrant.config.schema import Provider
from calibrant.providers.catalog import adapter, embedder
from calibrant.providers.openai_chat import OpenAIChat
from calibrant.providers.openai_responses import OpenAIResponses


def test_the_configured_address_wins() -> None:
    for base in ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/"):
        assert make("openai", api_base=base).encode(PLAIN).url == "http://127.0.0.1:9/v1/chat/completions"


@pytest.mark.parametrize("kind", ["vllm", "sglang", "tgi"])
def test_a_server_of_one_s_own_needs_an_address(kind: str) -> None:
    with pytest.raises(ConfigError, match=f"'{kind}' needs api_base"):
        adapter(Provider(name="p", type=kind, model_name="m"))


def test_a_type_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match=r"provider 'p': there is no provider type 'nobody'.*openai"):
        adapter(Provider(name="p", type="nobody", model_name="m"))


def test_the_two_apis_of_openai() -> None:
    responses = adapter(Provider(name="p", type="openai", model_name="m", options={"api_type": "responses"}))
    assert isinstance(responses, OpenAIResponses)
    assert isinstance(make("openai", options={"api_type": "chat_completions"}), OpenAIChat)


def test_a_type_without_embeddings() -> None:
    with pytest.raises(ConfigError, match=r"'groq' has no embeddings; there are .*openai"):
        embedder(Provider(name="p", type="groq", model_name="m"))
