"""What each provider type can do, and what it is not sent: for warnings, checks and the documentation."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import fields, replace

from calibrant.providers.compatible import COMPATIBLE, Vendor
from calibrant.types.request import Params

__all__ = ["Facts", "facts", "unsent"]


class Facts(Struct, frozen=True, kw_only=True):
    """The abilities of one provider type. A model of it may have fewer."""

    docs: tuple[str, ...]
    """The vendor's pages that say so."""
    tools: bool = True
    parallel_tools: bool = True
    """Whether one answer may hold several calls."""
    forced_tools: bool = True
    """Whether a call of a tool, or of one tool, can be required."""
    custom_tools: bool = False
    """Whether a tool may be called with text, which may have to follow a grammar."""
    allowed_tools: bool = False
    """Whether it can be told of all tools and which of them may be called; else it is told of those alone."""
    json_mode: bool = True
    """Whether the provider itself holds the output to JSON."""
    json_schema: bool = True
    """Whether it holds the output to a schema."""
    images: bool = False
    documents: bool = False
    audio: bool = False
    by_address: frozenset[str] = frozenset()
    """Kinds of files (`image`, `document`, `text`, `audio`) that it takes by their address; of others it wants the
    bytes."""
    reasoning: bool = True
    """Whether models of it may show their reasoning."""
    thoughts_returned: bool = False
    """Whether earlier reasoning is sent back to it."""
    cache_points: bool = False
    """Whether it is told what to keep in its prompt cache; else it decides by itself, or has none."""
    cache_tokens: bool = True
    """Whether its usage counts tokens read from a cache."""
    provider_tools: bool = False
    """Whether it is sent tools of its own, such as web search."""
    embeddings: bool = False
    params: frozenset[str] = frozenset()
    """The parameters of `Params` that it is sent."""


_ANTHROPIC = Facts(
    docs=(
        "platform.claude.com/docs/en/api/messages",
        "platform.claude.com/docs/en/build-with-claude/structured-outputs",
        "platform.claude.com/docs/en/build-with-claude/prompt-caching",
    ),
    # Sound is not among the content blocks, and the API has no embeddings. JSON without a schema is asked for in words.
    # Citations stay in the raw answer. Vertex AI takes files by their bytes alone.
    json_mode=False,
    images=True,
    documents=True,
    by_address=frozenset({"image", "document"}),
    thoughts_returned=True,
    cache_points=True,
    provider_tools=True,
    params=frozenset(
        {"temperature", "max_tokens", "top_p", "stop_sequences", "reasoning_effort", "service_tier"}
        | {"thinking_budget_tokens"}
    ),
)

_GEMINI = Facts(
    docs=(
        "ai.google.dev/api/generate-content",
        "ai.google.dev/gemini-api/docs/thought-signatures",
        "cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
    ),
    # Where one of the functions must be called.
    allowed_tools=True,
    images=True,
    documents=True,
    audio=True,
    thoughts_returned=True,
    provider_tools=True,
    embeddings=True,
    params=frozenset(
        {"temperature", "max_tokens", "top_p", "seed", "stop_sequences", "presence_penalty", "frequency_penalty"}
        | {"reasoning_effort", "service_tier", "thinking_budget_tokens"}
    ),
)

_BEDROCK = Facts(
    docs=(
        "docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
        "docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html",
        "docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html",
    ),
    # JSON without a schema is asked for in words.
    json_mode=False,
    images=True,
    documents=True,
    audio=True,
    thoughts_returned=True,
    cache_points=True,
    provider_tools=True,
    embeddings=True,
    params=frozenset(
        {"temperature", "max_tokens", "top_p", "stop_sequences", "reasoning_effort", "service_tier"}
        | {"thinking_budget_tokens"}
    ),
)

_SAGEMAKER = Facts(
    # What a container takes at most, as `hosted_provider = "openai"` has it; one of `tgi` takes no tools.
    docs=(
        "docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html",
        "docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html",
    ),
    images=True,
    documents=True,
    audio=True,
    by_address=frozenset({"image"}),
    provider_tools=True,
    params=frozenset(
        {"temperature", "max_tokens", "top_p", "presence_penalty", "frequency_penalty", "stop_sequences"}
        | {"seed", "reasoning_effort", "service_tier", "verbosity"}
    ),
)

_RESPONSES = Facts(
    docs=("platform.openai.com/docs/api-reference/responses",),
    custom_tools=True,
    allowed_tools=True,
    images=True,
    documents=True,
    by_address=frozenset({"image", "document", "text"}),
    thoughts_returned=True,
    provider_tools=True,
    params=frozenset({"temperature", "max_tokens", "top_p", "reasoning_effort", "service_tier", "verbosity"}),
)

_OWN: dict[str, Facts] = {
    "aws_bedrock": _BEDROCK,
    "aws_sagemaker": _SAGEMAKER,
    "gcp_vertex_gemini": _GEMINI,
    "google_ai_studio_gemini": _GEMINI,
    "anthropic": _ANTHROPIC,
    "gcp_vertex_anthropic": replace(_ANTHROPIC, by_address=frozenset()),
}
"""The provider types with a dialect of their own."""


def facts(type: str, api_type: str = "chat_completions") -> Facts | None:  # noqa: A002 - the configuration's own word
    """Return what the provider type can do by this API of it, or null for a type that there is not."""
    if api_type == "responses":
        return _RESPONSES
    vendor = COMPATIBLE.get(type)
    return _OWN.get(type) if vendor is None else _compatible(vendor)


def unsent(type: str, params: Params, api_type: str = "chat_completions") -> tuple[str, ...]:  # noqa: A002
    """Return the names of the parameters that are set and that this provider type is not sent."""
    known = facts(type, api_type)
    if known is None:
        return ()
    names = (field.name for field in fields(Params) if field.name != "json_mode")
    return tuple(name for name in names if name not in known.params and getattr(params, name) is not None)


def _compatible(vendor: Vendor) -> Facts:
    whole = vendor.files in ("openai", "openrouter", "mistral")
    params = {*_ALWAYS, *(name for name, sent in _sometimes(vendor).items() if sent)}
    return Facts(
        docs=vendor.docs,
        tools=vendor.tools,
        parallel_tools=vendor.tools,
        forced_tools=vendor.tools,
        custom_tools=vendor.custom_tools,
        allowed_tools=vendor.allowed_tools,
        json_mode=vendor.json_on,
        json_schema=vendor.json_strict in ("json_schema", "grammar"),
        images=vendor.files is not None,
        documents=whole,
        audio=whole,
        by_address=_BY_ADDRESS[vendor.files],
        reasoning=vendor.shows_reasoning,
        thoughts_returned=vendor.thoughts is not None,
        cache_points=vendor.cache_points,
        provider_tools=vendor.tools,
        embeddings=vendor.embeddings is not None,
        params=frozenset(params),
    )


_BY_ADDRESS = {
    None: frozenset[str](),
    "images": frozenset({"image"}),
    "openai": frozenset({"image"}),
    "openrouter": frozenset({"image", "document", "text"}),
    "mistral": frozenset({"image", "document", "text", "audio"}),
}
"""By the form of a vendor's files."""
_ALWAYS = ("temperature", "max_tokens", "top_p", "presence_penalty", "frequency_penalty", "stop_sequences")


def _sometimes(vendor: Vendor) -> dict[str, bool]:
    return {
        "seed": vendor.seed is not None,
        "reasoning_effort": vendor.effort is not None,
        "thinking_budget_tokens": vendor.budget is not None,
        "service_tier": vendor.service_tier,
        "verbosity": vendor.verbosity,
    }
