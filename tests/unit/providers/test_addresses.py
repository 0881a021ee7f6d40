"""Who gets a file by its address: what is said here and what the codecs do is the same."""

import msgspec
import pytest

from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.config.vendors import VENDORS
from calibrant.providers.addresses import wants_bytes
from calibrant.providers.catalog import adapter
from calibrant.providers.facts import facts
from calibrant.types.call import ModelCall
from calibrant.types.content import File
from calibrant.types.message import Message
from calibrant.types.request import Params

OPTIONS = {
    "azure": {"endpoint": "https://azure.test", "deployment_id": "d"},
    "aws_bedrock": {"region": "eu-west-1"},
    "aws_sagemaker": {"region": "eu-west-1", "endpoint_name": "e", "hosted_provider": "openai"},
    "gcp_vertex_gemini": {"location": "global", "project_id": "p"},
    "gcp_vertex_anthropic": {"location": "global", "project_id": "p"},
}
KINDS = {"image/png": "images", "application/pdf": "documents", "text/plain": "documents", "audio/wav": "audio"}
ROWS = [(kind, "chat_completions") for kind in sorted(VENDORS)] + [("openai", "responses")]


def provider(kind, api="chat_completions"):
    options = {**OPTIONS.get(kind, {}), **({"api_type": api} if api == "responses" else {})}
    return Provider("p", kind, "m", api_base="http://upstream.test/v1", options=options)


def encoded(kind, api, file):
    body = adapter(provider(kind, api)).encode(ModelCall(None, (Message("user", (file,)),), Params(max_tokens=9))).body
    return msgspec.json.decode(body)


@pytest.mark.parametrize("mime_type", KINDS)
@pytest.mark.parametrize(("kind", "api"), ROWS)
def test_a_codec_takes_what_it_is_given(kind, api, mime_type):
    """By address where that is said to do, else as bytes; and what takes neither is asked with the address."""
    known = facts(kind, api)
    by_address = File(url="https://x.test/a", mime_type=mime_type)
    as_bytes = File(data="aGVsbG8=", mime_type=mime_type)
    if wants_bytes(provider(kind, api), by_address.url, by_address):
        assert getattr(known, KINDS[mime_type])
        sent = str(encoded(kind, api, as_bytes))
        # Anthropic takes text as text.
        assert "aGVsbG8=" in sent or (mime_type == "text/plain" and "hello" in sent)
    elif getattr(known, KINDS[mime_type]):
        assert "https://x.test/a" in str(encoded(kind, api, by_address))
    else:
        with pytest.raises(ProviderError):
            encoded(kind, api, by_address)


@pytest.mark.parametrize(("kind", "api"), ROWS)
def test_always_is_whoever_it_is(kind, api):
    file = File(url="https://x.test/a.png")
    assert wants_bytes(provider(kind, api), file.url, file, always=True)


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("google_ai_studio_gemini", "https://www.youtube.com/watch?v=1"),
        ("google_ai_studio_gemini", "https://generativelanguage.googleapis.com/v1beta/files/1"),
        ("gcp_vertex_gemini", "gs://bucket/a.png"),
        ("aws_bedrock", "s3://bucket/a.png"),
    ],
)
def test_addresses_that_are_the_providers_own_go_as_they_are(kind, url, always):
    assert not wants_bytes(provider(kind), url, File(url=url), always=always)
    assert wants_bytes(provider(kind), "https://x.test/a.png", File(url="https://x.test/a.png"), always=always)


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        (File(url="https://x.test/a"), False),
        (File(url="https://x.test/a.PNG?x=.pdf"), False),
        (File(url="https://x.test/a.pdf?x=1"), True),
        (File(url="https://x.test/a", filename="a.wav"), True),
        (File(url="https://x.test/a.png", mime_type="Application/PDF"), True),
    ],
)
def test_the_kind_is_the_type_else_the_name_else_an_image(file, wanted):
    assert wants_bytes(provider("openai"), file.url, file) == wanted
