"""Models that nobody configured, by the names that callers write."""

import pytest
from msgspec.structs import replace

from calibrant.config.load import default_config
from calibrant.config.schema import Credential
from calibrant.config.shorthand import fault_of_shorthand, shorthand_provider

GEMINI, CLAUDE = "gcp_vertex_gemini", "gcp_vertex_anthropic"
HERE = "projects/my-project/locations/us-central1"


def provider(kind, name, **defaults):
    return shorthand_provider(kind, name, replace(default_config(), provider_defaults=defaults))


def test_a_plain_one():
    found = provider("anthropic", "claude")
    assert (found.name, found.type, found.model_name, found.options) == ("anthropic", "anthropic", "claude", {})
    assert found.credential == Credential("env::ANTHROPIC_API_KEY")
    assert provider("anthropic", "claude", anthropic=Credential("env::MINE")).credential == Credential("env::MINE")


@pytest.mark.parametrize(
    ("kind", "name", "model", "options"),
    [
        (GEMINI, f"{HERE}/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro", {}),
        (GEMINI, f"{HERE}/endpoints/123", "", {"endpoint_id": "123"}),
        (CLAUDE, f"{HERE}/publishers/anthropic/models/claude-x@20250101", "claude-x@20250101", {}),
    ],
)
def test_a_path_on_gcp(kind, name, model, options):
    found = provider(kind, name)
    assert found.model_name == model
    assert found.options == {"project_id": "my-project", "location": "us-central1"} | options
    assert found.credential == Credential("gcp::path_from_env::GCP_VERTEX_CREDENTIALS_PATH")


def test_a_project_of_a_domain():
    name = "projects/example.com:mine/locations/global/publishers/google/models/m"
    assert provider(GEMINI, name).options == {"project_id": "example.com:mine", "location": "global"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("openai", ""),
        ("vllm", "m"),
        ("aws_bedrock", "m"),
        ("nothing", "m"),
        (GEMINI, "gemini-2.5-pro"),
        (GEMINI, f"{HERE}/publishers/anthropic/models/m"),
        (GEMINI, f"{HERE}/publishers/google/models/m/more"),
        (GEMINI, f"{HERE}/publishers/google/models/../m"),
        (GEMINI, f"{HERE}/publishers/google/models/m\n"),
        (GEMINI, "projects/p/locations/evil.example/publishers/google/models/m"),
        (GEMINI, "projects/p/locations/x@evil/publishers/google/models/m"),
        (GEMINI, "projects/../locations/x/../publishers/google/models/m"),
        (GEMINI, "projects/p?x/locations/l/endpoints/1"),
        (CLAUDE, f"{HERE}/endpoints/123"),
        (CLAUDE, f"{HERE}/publishers/google/models/m"),
    ],
)
def test_what_is_none(kind, name):
    assert provider(kind, name) is None


def test_what_would_be_right():
    assert fault_of_shorthand("openai", "gpt") is None
    assert fault_of_shorthand("openai", "")[1] == "write 'openai::MODEL'"
    assert "publishers/google/models/MODEL' or " in fault_of_shorthand(GEMINI, "gemini")[1]
    assert "publishers/anthropic/models/MODEL'" in fault_of_shorthand(CLAUDE, "claude")[1]
    assert fault_of_shorthand(CLAUDE, f"{HERE}/publishers/anthropic/models/m") is None


def test_a_model_of_openai_by_the_responses_api() -> None:
    found = shorthand_provider("openai", "responses::gpt-5", default_config())
    assert found is not None
    assert (found.model_name, found.options) == ("gpt-5", {"api_type": "responses"})
    assert fault_of_shorthand("openai", "responses::") is not None
