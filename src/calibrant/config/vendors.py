"""The provider types as a table of data: where their credential is by default, and what they need.

What a type may have in the document stands in `document_models.py`; how it is spoken to, in `providers/`.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["RELAY", "VENDORS", "Vendor"]

RELAY = "tensorzero::relay"
"""The type, and the name, of the provider that is another gateway. No document can name it."""


class Vendor(Struct, frozen=True):
    """A provider type."""

    type: str
    credential: str
    """Where the credential is, where nothing says otherwise."""
    fallback: str | None = None
    """Where else it may be then."""
    shorthand: bool = False
    """Whether `type::model` names a model that is not configured."""
    embeddings: bool = False
    """Whether it has models of embeddings."""
    needs_api_base: bool = False
    needs_model_name: bool = True
    model_key: str = "model_name"
    """The key that holds the vendor's name of the model."""
    options: tuple[str, ...] = ()
    """Keys of its own that travel in `Provider.options`."""


_GCP = "path_from_env::GCP_VERTEX_CREDENTIALS_PATH"

VENDORS: dict[str, Vendor] = {
    vendor.type: vendor
    for vendor in (
        Vendor("anthropic", "env::ANTHROPIC_API_KEY", shorthand=True),
        Vendor(
            "aws_bedrock",
            "env::AWS_BEARER_TOKEN_BEDROCK",
            embeddings=True,
            fallback="sdk",
            needs_model_name=False,
            model_key="model_id",
            options=("region", "allow_auto_detect_region", "endpoint_url"),
        ),
        Vendor(
            "aws_sagemaker",
            "sdk",
            options=("endpoint_name", "hosted_provider", "region", "allow_auto_detect_region", "endpoint_url"),
        ),
        Vendor(
            "azure",
            "env::AZURE_API_KEY",
            embeddings=True,
            fallback="env::AZURE_OPENAI_API_KEY",
            needs_model_name=False,
            model_key="deployment_id",
            options=("endpoint",),
        ),
        Vendor("deepseek", "env::DEEPSEEK_API_KEY", shorthand=True),
        Vendor("fireworks", "env::FIREWORKS_API_KEY", embeddings=True, shorthand=True),
        Vendor(
            "gcp_vertex_anthropic",
            _GCP,
            shorthand=True,
            needs_model_name=False,
            model_key="model_id",
            options=("location", "project_id"),
        ),
        Vendor(
            "gcp_vertex_gemini",
            _GCP,
            embeddings=True,
            shorthand=True,
            needs_model_name=False,
            model_key="model_id",
            options=("endpoint_id", "location", "project_id"),
        ),
        Vendor("google_ai_studio_gemini", "env::GOOGLE_AI_STUDIO_API_KEY", embeddings=True, shorthand=True),
        Vendor("groq", "env::GROQ_API_KEY", shorthand=True, options=("reasoning_format",)),
        Vendor("hyperbolic", "env::HYPERBOLIC_API_KEY", shorthand=True),
        Vendor("mistral", "env::MISTRAL_API_KEY", embeddings=True, shorthand=True, options=("prompt_mode",)),
        Vendor(
            "openai",
            "env::OPENAI_API_KEY",
            embeddings=True,
            shorthand=True,
            options=("api_type", "include_encrypted_reasoning", "content_type_overrides"),
        ),
        Vendor("openrouter", "env::OPENROUTER_API_KEY", embeddings=True, shorthand=True),
        Vendor("sglang", "env::SGLANG_API_KEY", embeddings=True, needs_api_base=True),
        Vendor("tgi", "env::TGI_API_KEY", needs_api_base=True, needs_model_name=False),
        Vendor("together", "env::TOGETHER_API_KEY", embeddings=True, shorthand=True),
        Vendor("vllm", "env::VLLM_API_KEY", embeddings=True, needs_api_base=True),
        Vendor("xai", "env::XAI_API_KEY", shorthand=True),
    )
}
"""By type, in the order of their names."""
