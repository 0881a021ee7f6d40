"""The sections about models: `[models.M]`, `[embedding_models.E]` and `[provider_types.T]`.

Each provider type is a table of its own, so that a key that it does not know is an error. Where `vendors.py`
calls a type built, `api_base` and `parse_think_blocks` are accepted on it even where TensorZero has them not.
"""

# ruff: noqa: RUF012 - msgspec gives each value its own empty table

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from calibrant.config.document_parts import (
    CredentialLocation,
    ExtraBody,
    ExtraHeader,
    Millis,
    Span,
    Table,
    TimeoutsTable,
)
from calibrant.config.marks import Location, Private
from calibrant.config.schema import Strategy

__all__ = [
    "TGI",
    "VLLM",
    "XAI",
    "AiStudioGemini",
    "Anthropic",
    "AnyProvider",
    "ApiKeyDefaults",
    "Azure",
    "Bedrock",
    "CostRule",
    "CredentialDefaults",
    "DeepSeek",
    "EmbeddingModelTable",
    "Fireworks",
    "FireworksSft",
    "FireworksType",
    "Groq",
    "Hyperbolic",
    "Mistral",
    "ModelBreaker",
    "ModelTable",
    "Name",
    "OpenAI",
    "OpenAICompatible",
    "OpenRouter",
    "ProviderTable",
    "ProviderType",
    "ProviderTypesTable",
    "SGLang",
    "SageMaker",
    "Together",
    "TogetherSft",
    "TogetherType",
    "Url",
    "VertexAnthropic",
    "VertexAnthropicType",
    "VertexBatch",
    "VertexGemini",
    "VertexGeminiType",
    "VertexSft",
]

Name = Annotated[str, Meta(min_length=1)]
Url = Annotated[str, Meta(min_length=1)]


class CostRule(Table, frozen=True, kw_only=True):
    """One entry of `cost` or `batch_cost`."""

    pointer: str | None = None
    pointer_nonstreaming: str | None = None
    pointer_streaming: str | None = None
    cost_per_million: float | None = None
    cost_per_unit: float | None = None
    required: bool = False


class ProviderTable(Table, frozen=True, kw_only=True):
    """What every provider has."""

    timeouts: TimeoutsTable = TimeoutsTable()
    timeout_ms: Millis | None = None
    extra_body: tuple[ExtraBody, ...] = ()
    extra_headers: tuple[ExtraHeader, ...] = ()
    discard_unknown_chunks: bool = False
    cost: tuple[CostRule, ...] = ()
    batch_cost: tuple[CostRule, ...] = ()


class Anthropic(ProviderTable, tag="anthropic", tag_field="type", frozen=True, kw_only=True):
    """Anthropic."""

    model_name: Name
    api_base: Url | None = None
    api_key_location: CredentialLocation | None = None
    provider_tools: tuple[dict[str, Any], ...] = ()
    beta_structured_outputs: bool | None = None


class Bedrock(ProviderTable, tag="aws_bedrock", tag_field="type", frozen=True, kw_only=True):
    """AWS Bedrock."""

    model_id: Name
    region: str | None = None
    allow_auto_detect_region: bool = False
    endpoint_url: str | None = None
    api_key: Location | None = None
    access_key_id: Location | None = None
    secret_access_key: Location | None = None
    session_token: Location | None = None


class SageMaker(ProviderTable, tag="aws_sagemaker", tag_field="type", frozen=True, kw_only=True):
    """AWS SageMaker."""

    endpoint_name: Name
    model_name: Name
    hosted_provider: Literal["openai", "tgi"]
    region: str | None = None
    allow_auto_detect_region: bool = False
    endpoint_url: str | None = None
    access_key_id: Location | None = None
    secret_access_key: Location | None = None
    session_token: Location | None = None


class Azure(ProviderTable, tag="azure", tag_field="type", frozen=True, kw_only=True):
    """Azure."""

    deployment_id: Name
    endpoint: str
    api_key_location: CredentialLocation | None = None


class VertexAnthropic(ProviderTable, tag="gcp_vertex_anthropic", tag_field="type", frozen=True, kw_only=True):
    """Anthropic's models on GCP Vertex AI."""

    model_id: Name
    location: str
    project_id: str
    api_base: Url | None = None
    credential_location: CredentialLocation | None = None
    provider_tools: tuple[dict[str, Any], ...] = ()


class VertexGemini(ProviderTable, tag="gcp_vertex_gemini", tag_field="type", frozen=True, kw_only=True):
    """Gemini on GCP Vertex AI."""

    model_id: str | None = None
    endpoint_id: str | None = None
    location: str
    project_id: str
    api_base: Url | None = None
    credential_location: CredentialLocation | None = None


class AiStudioGemini(ProviderTable, tag="google_ai_studio_gemini", tag_field="type", frozen=True, kw_only=True):
    """Gemini in Google AI Studio."""

    model_name: Name
    api_base: Url | None = None
    api_key_location: CredentialLocation | None = None


class OpenAICompatible(ProviderTable, frozen=True, kw_only=True):
    """What every type of the OpenAI family has."""

    api_base: Url | None = None
    api_key_location: CredentialLocation | None = None
    parse_think_blocks: bool | None = None


class _Hosted(OpenAICompatible, frozen=True, kw_only=True):
    model_name: Name


class _SelfHosted(OpenAICompatible, frozen=True, kw_only=True):
    api_base: Url  # type: ignore[reportGeneralTypeIssues]


class OpenAI(_Hosted, tag="openai", tag_field="type", frozen=True, kw_only=True):
    """OpenAI, and any server that speaks its protocol."""

    api_type: Literal["chat_completions", "responses"] = "chat_completions"
    include_encrypted_reasoning: bool = False
    provider_tools: tuple[dict[str, Any], ...] = ()
    content_type_overrides: dict[str, str] = {}


class DeepSeek(_Hosted, tag="deepseek", tag_field="type", frozen=True, kw_only=True):
    """DeepSeek."""


class Fireworks(_Hosted, tag="fireworks", tag_field="type", frozen=True, kw_only=True):
    """Fireworks AI."""


class Groq(_Hosted, tag="groq", tag_field="type", frozen=True, kw_only=True):
    """Groq."""

    reasoning_format: str | None = None


class Hyperbolic(_Hosted, tag="hyperbolic", tag_field="type", frozen=True, kw_only=True):
    """Hyperbolic."""


class Mistral(_Hosted, tag="mistral", tag_field="type", frozen=True, kw_only=True):
    """Mistral."""

    prompt_mode: str | None = None


class OpenRouter(_Hosted, tag="openrouter", tag_field="type", frozen=True, kw_only=True):
    """OpenRouter."""


class Together(_Hosted, tag="together", tag_field="type", frozen=True, kw_only=True):
    """Together AI."""


class XAI(_Hosted, tag="xai", tag_field="type", frozen=True, kw_only=True):
    """xAI."""


class SGLang(_SelfHosted, tag="sglang", tag_field="type", frozen=True, kw_only=True):
    """An SGLang server."""

    model_name: Name


class VLLM(_SelfHosted, tag="vllm", tag_field="type", frozen=True, kw_only=True):
    """A vLLM server."""

    model_name: Name


class TGI(_SelfHosted, tag="tgi", tag_field="type", frozen=True, kw_only=True):
    """A Text Generation Inference server; it serves one model, so a name is not needed."""

    model_name: str = ""


AnyProvider = (
    Anthropic
    | Bedrock
    | SageMaker
    | Azure
    | DeepSeek
    | Fireworks
    | VertexAnthropic
    | VertexGemini
    | AiStudioGemini
    | Groq
    | Hyperbolic
    | Mistral
    | OpenAI
    | OpenRouter
    | SGLang
    | TGI
    | Together
    | VLLM
    | XAI
)


class ModelBreaker(Table, frozen=True, kw_only=True):
    """`models.M.breaker`: what differs from `gateway.breaker`."""

    enabled: bool | None = None
    failures: Annotated[int, Meta(ge=1)] | None = None
    open_s: Span | None = None
    max_open_s: Span | None = None


class ModelTable(Table, frozen=True, kw_only=True):
    """`[models.M]`: TensorZero's keys, then ours."""

    routing: Annotated[tuple[str, ...], Meta(min_length=1)]
    providers: dict[str, AnyProvider]
    timeouts: TimeoutsTable = TimeoutsTable()
    namespace: str | None = None
    skip_relay: bool = False

    routing_strategy: Strategy = "ordered"
    weights: dict[str, Annotated[float, Meta(ge=0, le=1e9)]] = {}
    fallback_models: tuple[str, ...] = ()
    breaker: ModelBreaker = ModelBreaker()


class EmbeddingModelTable(Table, frozen=True, kw_only=True):
    """`[embedding_models.E]`."""

    routing: Annotated[tuple[str, ...], Meta(min_length=1)]
    providers: dict[str, AnyProvider]
    timeout_ms: Millis | None = None
    timeouts: TimeoutsTable = TimeoutsTable()
    namespace: str | None = None
    skip_relay: bool = False


class ApiKeyDefaults(Table, frozen=True, kw_only=True):
    """`provider_types.T.defaults`."""

    api_key_location: CredentialLocation | None = None


class CredentialDefaults(Table, frozen=True, kw_only=True):
    """`provider_types.T.defaults` of the GCP types."""

    credential_location: CredentialLocation | None = None


class ProviderType(Table, frozen=True, kw_only=True):
    """`[provider_types.T]` of most types."""

    defaults: ApiKeyDefaults = ApiKeyDefaults()


class FireworksSft(Table, frozen=True, kw_only=True):
    """`provider_types.fireworks.sft`."""

    account_id: str


class FireworksType(ProviderType, frozen=True, kw_only=True):
    """`[provider_types.fireworks]`."""

    sft: FireworksSft | None = None


class TogetherSft(Table, frozen=True, kw_only=True):
    """`provider_types.together.sft`."""

    hf_api_token: Private = None
    wandb_api_key: Private = None
    wandb_base_url: str | None = None
    wandb_project_name: str | None = None


class TogetherType(ProviderType, frozen=True, kw_only=True):
    """`[provider_types.together]`."""

    sft: TogetherSft | None = None


class VertexSft(Table, frozen=True, kw_only=True):
    """`provider_types.gcp_vertex_gemini.sft`."""

    bucket_name: str
    project_id: str
    region: str
    bucket_path_prefix: str | None = None
    kms_key_name: str | None = None
    service_account: str | None = None


class VertexBatch(Table, frozen=True, kw_only=True):
    """`provider_types.gcp_vertex_gemini.batch`."""

    storage_type: Literal["cloud_storage", "none"]
    input_uri_prefix: str | None = None
    output_uri_prefix: str | None = None


class VertexGeminiType(Table, frozen=True, kw_only=True):
    """`[provider_types.gcp_vertex_gemini]`."""

    defaults: CredentialDefaults = CredentialDefaults()
    sft: VertexSft | None = None
    batch: VertexBatch | None = None


class VertexAnthropicType(Table, frozen=True, kw_only=True):
    """`[provider_types.gcp_vertex_anthropic]`."""

    defaults: CredentialDefaults = CredentialDefaults()


class ProviderTypesTable(Table, frozen=True, kw_only=True):
    """`[provider_types]`."""

    anthropic: ProviderType = ProviderType()
    azure: ProviderType = ProviderType()
    deepseek: ProviderType = ProviderType()
    fireworks: FireworksType = FireworksType()
    gcp_vertex_anthropic: VertexAnthropicType = VertexAnthropicType()
    gcp_vertex_gemini: VertexGeminiType = VertexGeminiType()
    google_ai_studio_gemini: ProviderType = ProviderType()
    groq: ProviderType = ProviderType()
    hyperbolic: ProviderType = ProviderType()
    mistral: ProviderType = ProviderType()
    openai: ProviderType = ProviderType()
    openrouter: ProviderType = ProviderType()
    sglang: ProviderType = ProviderType()
    tgi: ProviderType = ProviderType()
    together: TogetherType = TogetherType()
    vllm: ProviderType = ProviderType()
    xai: ProviderType = ProviderType()
