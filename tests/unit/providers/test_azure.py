from __future__ import annotations

import pytest
from tests.contract.providers.calls import HELLO, PLAIN
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.openai_chat import AZURE_STOPPED

from calibrant.base.errors import ConfigError, Refused
from calibrant.config.secret import Secret
from calibrant.providers.azure import Azure, AzureEmbeddings
from calibrant.types.call import EmbeddingCall, ModelCall

V1 = "https://my.openai.azure.com/openai/v1/"


def azure(**options: object) -> Azure:
    return Azure(provider("azure", options={"endpoint": "https://my.openai.azure.com", **options}))


@pytest.mark.parametrize("options", [{}, {"endpoint": ""}, {"endpoint": None}])
def test_a_resource_has_an_address(options: dict[str, object]) -> None:
    for make in (Azure, AzureEmbeddings):
        with pytest.raises(ConfigError, match="'my_azure': the type 'azure' needs endpoint"):
            make(provider("azure", options=options))


def test_the_address_of_the_v1_api_needs_no_version() -> None:
    assert azure(endpoint=V1).encode(PLAIN).url == f"{V1}chat/completions"
    made = AzureEmbeddings(provider("azure", options={"endpoint": V1}))
    assert made.encode_embedding(EmbeddingCall(("a",))).url == f"{V1}embeddings"


def test_the_key_has_a_header_of_its_own() -> None:
    made = azure()
    http = made.encode(ModelCall(None, HELLO))
    assert made.sign(http, None, 0.0) == http
    assert ("api-key", "k") in made.sign(http, Secret("k"), 0.0).headers


@pytest.mark.parametrize("status", [200, 400])
def test_a_filtered_prompt_is_an_answer_whatever_the_status(status: int) -> None:
    body, expected = AZURE_STOPPED
    reply = azure().decode(status, (), body)
    assert (reply.finish_reason, reply.finish_detail, reply.raw) == ("content_filter", expected.finish_detail, body)


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (b'{"code":"content_filter","innererror":{"content_filter_results":{"a":1}}}', b'{"a":1}'),
        (b'{"code":"content_filter","innererror":{}}', b"{}"),
        (b'{"code":"content_filter"}', b"{}"),
    ],
)
def test_the_verdict_has_several_places(error: bytes, detail: bytes) -> None:
    assert azure().decode(400, (), b'{"error":' + error + b"}").finish_detail == detail


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error":"no"}', b'{"error":{"code":"content_filter","innererror":5}}'])
def test_any_other_error_is_one(body: bytes) -> None:
    with pytest.raises(Refused, match="answered 400"):
        azure().decode(400, (), body)


def test_an_error_in_a_stream_that_is_no_verdict_ends_it() -> None:
    with pytest.raises(Refused, match="overloaded"):
        azure().decoder().feed(b'data: {"error":{"code":"server_error","message":"overloaded"}}\n\n')
