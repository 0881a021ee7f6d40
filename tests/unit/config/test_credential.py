"""Where each type's credential is, by what the document says."""

import msgspec
import pytest

from calibrant.config.credential import credential_at, default_credential, provider_credential
from calibrant.config.document_models import Azure, Bedrock, OpenAI, SageMaker, VertexGemini
from calibrant.config.document_parts import LocationPair
from calibrant.config.schema import AwsLocations, Credential
from calibrant.config.vendors import VENDORS

BEDROCK = {"model_id": "m", "region": "us-east-1"}
SAGEMAKER = {"endpoint_name": "e", "model_name": "m", "hosted_provider": "openai", "region": "us-east-1"}
VERTEX = {"model_id": "m", "location": "l", "project_id": "p"}
PAIR = {"access_key_id": "env::A", "secret_access_key": "dynamic::s"}


def of(kind, fields, defaults=None):
    return provider_credential(msgspec.convert(fields, kind), defaults or {})


@pytest.mark.parametrize(
    ("kind", "fields", "credential"),
    [
        (OpenAI, {"model_name": "m"}, Credential("env::OPENAI_API_KEY")),
        (OpenAI, {"model_name": "m", "api_key_location": "none"}, Credential("none")),
        (Azure, {"deployment_id": "d", "endpoint": "e"}, Credential("env::AZURE_API_KEY", "env::AZURE_OPENAI_API_KEY")),
        (Bedrock, BEDROCK, Credential("env::AWS_BEARER_TOKEN_BEDROCK", "sdk::aws")),
        (Bedrock, BEDROCK | {"api_key": "dynamic::k"}, Credential("dynamic::k")),
        (Bedrock, BEDROCK | {"api_key": "sdk"}, Credential("sdk::aws")),
        (Bedrock, BEDROCK | PAIR, Credential("none", aws=AwsLocations("env::A", "dynamic::s"))),
        (
            Bedrock,
            BEDROCK | PAIR | {"session_token": "path::t"},
            Credential("none", aws=AwsLocations("env::A", "dynamic::s", "path::t")),
        ),
        (Bedrock, BEDROCK | {"access_key_id": "sdk", "secret_access_key": "sdk"}, Credential("sdk::aws")),
        (SageMaker, SAGEMAKER, Credential("sdk::aws")),
        (SageMaker, SAGEMAKER | PAIR, Credential("none", aws=AwsLocations("env::A", "dynamic::s"))),
        (VertexGemini, VERTEX, Credential("gcp::path_from_env::GCP_VERTEX_CREDENTIALS_PATH")),
        (VertexGemini, VERTEX | {"credential_location": "sdk"}, Credential("sdk::gcp")),
        (VertexGemini, VERTEX | {"credential_location": "dynamic::t"}, Credential("dynamic::t")),
        (VertexGemini, VERTEX | {"credential_location": "none"}, Credential("none")),
        (
            VertexGemini,
            VERTEX | {"credential_location": {"default": "env::K", "fallback": "sdk"}},
            Credential("gcp::env::K", "sdk::gcp"),
        ),
    ],
)
def test_of_a_provider(kind, fields, credential):
    assert of(kind, fields) == credential


def test_the_default_of_a_type_can_be_set():
    defaults = {"gcp_vertex_gemini": credential_at("gcp_vertex_gemini", "path::k")}
    assert of(VertexGemini, VERTEX, defaults) == Credential("gcp::path::k")
    assert of(VertexGemini, VERTEX | {"credential_location": "sdk"}, defaults) == Credential("sdk::gcp")
    pair = LocationPair(default="dynamic::a", fallback="env::B")
    assert default_credential(VENDORS["openai"], {"openai": credential_at("openai", pair)}) == Credential(
        "dynamic::a", "env::B"
    )


@pytest.mark.parametrize("type_", VENDORS)
def test_every_type_has_a_default_that_can_be_looked_up(type_):
    credential = default_credential(VENDORS[type_], {})
    for location in filter(None, (credential.default, credential.fallback)):
        assert location.startswith(("env::", "sdk::", "gcp::path_from_env::"))
