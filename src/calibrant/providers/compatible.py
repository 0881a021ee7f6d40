"""Vendors of OpenAI-compatible chat completions, as a table: where each lives, how it differs on the wire.

A field whose documentation could not be found keeps the cautious value: a parameter that a vendor may not
know is not sent, since some refuse what they do not know (Mistral answers 422). `docs` names the pages that a
row was written from. What the configuration needs to know of a vendor (credential, shorthand) is
`config/vendors.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

__all__ = ["COMPATIBLE", "Vendor"]


class Vendor(Struct, frozen=True, kw_only=True):
    """One row. The defaults are the plainest server that calls itself compatible."""

    type: str
    base: str | None = None
    """Address without `/chat/completions`; null where only the user knows it."""
    docs: tuple[str, ...]
    default_model: str | None = None
    """Sent where the configuration names no model, because the server serves only one."""

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: Literal["seed", "random_seed"] | None = "seed"
    effort: Literal["reasoning_effort", "reasoning"] | None = None
    """Where the reasoning effort goes."""
    budget: Literal["thinking", "toggle", "reasoning"] | None = None
    """Where a thinking budget goes; `toggle` can only say on or off."""
    service_tier: bool = False
    tiers: Mapping[str, str] = {}
    """Its own words for service tiers; the others are sent as they are."""
    verbosity: bool = False
    options: tuple[str, ...] = ()
    """Keys of the provider's own in the configuration that are sent as they are."""

    stream_usage: bool = True
    """Whether `stream_options.include_usage` is understood; a vendor without it sends the usage unasked."""
    json_on: bool = True
    """Whether `response_format` may be `json_object`."""
    json_strict: Literal["json_schema", "json_object", "grammar"] | None = "json_schema"
    """What the strict JSON mode becomes."""

    tools: bool = True
    required_choice: Literal["required", "any"] = "required"
    """The word for "call some tool"."""
    none_choice: bool = True
    """Whether `tool_choice` may be `none`; if not, the tools are left out."""
    strict_tools: bool = False
    parallel_tool_calls: bool = False
    custom_tools: bool = False
    """Whether it has tools that are called with text."""
    allowed_tools: bool = False
    """Whether `tool_choice` can name those of the tools that may be called."""
    short_call_ids: bool = False
    """Whether ids of tool calls must be nine letters and digits."""

    files: Literal["openai", "openrouter", "mistral", "images"] | None = None
    """The form of files; null where messages are text alone, and then each is one string."""
    thoughts: Literal["reasoning_content", "reasoning", "thinking"] | None = None
    """Where the vendor wants its own reasoning back in the conversation; null where it is dropped."""
    thoughts_need_tools: bool = False
    """Whether it wants them only in a conversation with tools."""
    cache_points: bool = False
    """Whether it is told what to cache, by a mark on text."""
    shows_reasoning: bool = True
    """Whether models of it may show their reasoning."""
    embeddings: Literal["openai", "mistral", "texts"] | None = None
    """Which fields its embeddings take: OpenAI's, Mistral's, or texts and nothing else; null where it has none."""
    think_blocks: bool = False
    """Whether text may hold `<think>` blocks, unless the configuration says otherwise."""


_ROWS = (
    Vendor(
        type="openai",
        base="https://api.openai.com/v1",
        docs=("platform.openai.com/docs/api-reference/chat/create",),
        max_tokens="max_completion_tokens",
        effort="reasoning_effort",
        service_tier=True,
        verbosity=True,
        strict_tools=True,
        parallel_tool_calls=True,
        custom_tools=True,
        allowed_tools=True,
        files="openai",
        shows_reasoning=False,
        embeddings="openai",
    ),
    Vendor(
        type="azure",
        # The address is the resource's own, see `azure.py`. Content filters speak on both sides.
        docs=(
            "learn.microsoft.com/en-us/azure/ai-foundry/openai/reference",
            "learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter",
        ),
        max_tokens="max_completion_tokens",
        effort="reasoning_effort",
        service_tier=True,
        verbosity=True,
        strict_tools=True,
        parallel_tool_calls=True,
        files="openai",
        shows_reasoning=False,
        embeddings="openai",
    ),
    Vendor(
        type="groq",
        base="https://api.groq.com/openai/v1",
        # The usage of a stream comes in `x_groq.usage` too; reasoning in `reasoning` with the format `parsed`.
        docs=("console.groq.com/docs/api-reference", "console.groq.com/docs/reasoning"),
        max_tokens="max_completion_tokens",
        effort="reasoning_effort",
        service_tier=True,
        tiers={"default": "on_demand", "priority": "performance"},
        options=("reasoning_format",),
        parallel_tool_calls=True,
        files="images",
        thoughts="reasoning",
    ),
    Vendor(
        type="mistral",
        base="https://api.mistral.ai/v1",
        # `stream_options` and `max_completion_tokens` are refused (422); the usage of a stream comes unasked.
        # Ids of tool calls "must be a-z, A-Z, 0-9, with a length of 9" (400): langchain-ai/langchain#24668.
        docs=(
            "docs.mistral.ai/api",
            "docs.mistral.ai/capabilities/reasoning",
            "github.com/dnakov/anon-kode/issues/53",
            "github.com/editor-code-assistant/eca/issues/231",
        ),
        embeddings="mistral",
        seed="random_seed",
        effort="reasoning_effort",
        options=("prompt_mode",),
        stream_usage=False,
        required_choice="any",
        parallel_tool_calls=True,
        short_call_ids=True,
        files="mistral",
        thoughts="thinking",
    ),
    Vendor(
        type="deepseek",
        base="https://api.deepseek.com",
        # No JSON Schema output, and strict tools only under the beta address. In a conversation with tools
        # each earlier `reasoning_content` must come back; in one without it is ignored, and once was refused.
        docs=(
            "api-docs.deepseek.com/api/create-chat-completion",
            "api-docs.deepseek.com/guides/thinking_mode",
        ),
        seed=None,
        effort="reasoning_effort",
        budget="toggle",
        json_strict="json_object",
        thoughts="reasoning_content",
        thoughts_need_tools=True,
    ),
    Vendor(
        type="together",
        base="https://api.together.xyz/v1",
        docs=("docs.together.ai/reference/chat-completions-1", "docs.together.ai/docs/json-mode"),
        effort="reasoning_effort",
        none_choice=False,
        parallel_tool_calls=True,
        files="images",
        think_blocks=True,
        embeddings="texts",
    ),
    Vendor(
        type="fireworks",
        base="https://api.fireworks.ai/inference/v1",
        # Either `reasoning_effort` or `thinking` with a budget.
        docs=(
            "docs.fireworks.ai/api-reference/post-chatcompletions",
            "docs.fireworks.ai/guides/reasoning",
            "docs.fireworks.ai/structured-responses/structured-response-formatting",
        ),
        embeddings="openai",
        seed=None,
        effort="reasoning_effort",
        budget="thinking",
        files="images",
        thoughts="reasoning_content",
        think_blocks=True,
    ),
    Vendor(
        type="xai",
        base="https://api.x.ai/v1",
        # Reasoning tokens are counted beside the completion's, not among them: the total tells.
        docs=("docs.x.ai/docs/api-reference", "docs.x.ai/docs/guides/reasoning"),
        max_tokens="max_completion_tokens",
        effort="reasoning_effort",
        parallel_tool_calls=True,
        files="images",
    ),
    Vendor(
        type="openrouter",
        base="https://openrouter.ai/api/v1",
        # Comments keep the stream alive; an error in a stream is an event with `error` beside `choices`.
        docs=("openrouter.ai/docs/api-reference/parameters", "openrouter.ai/docs/use-cases/reasoning-tokens"),
        effort="reasoning",
        budget="reasoning",
        verbosity=True,
        strict_tools=True,
        parallel_tool_calls=True,
        files="openrouter",
        thoughts="reasoning",
        cache_points=True,
        embeddings="openai",
    ),
    Vendor(
        type="hyperbolic",
        base="https://api.hyperbolic.xyz/v1",
        docs=("docs.hyperbolic.xyz/docs/rest-api",),
        json_on=False,
        json_strict=None,
        tools=False,
        shows_reasoning=False,
    ),
    Vendor(
        type="vllm",
        # `reasoning` used to be `reasoning_content`; both are read.
        docs=(
            "docs.vllm.ai/en/latest/serving/openai_compatible_server",
            "docs.vllm.ai/en/v0.26.0/features/reasoning_outputs",
        ),
        embeddings="openai",
        effort="reasoning_effort",
        strict_tools=True,
        parallel_tool_calls=True,
        files="openai",
        thoughts="reasoning",
    ),
    Vendor(
        type="sglang",
        docs=(
            "docs.sglang.io/docs/basic_usage/openai_api_completions",
            "docs.sglang.io/docs/advanced_features/separate_reasoning",
        ),
        embeddings="openai",
        effort="reasoning_effort",
        strict_tools=True,
        parallel_tool_calls=True,
        files="images",
        thoughts="reasoning_content",
    ),
    Vendor(
        type="tgi",
        # Constrains the output to a schema in `response_format.value`; has no JSON mode without one.
        docs=(
            "huggingface.co/docs/text-generation-inference/messages_api",
            "huggingface.co/docs/text-generation-inference/conceptual/guidance",
        ),
        shows_reasoning=False,
        default_model="tgi",
        json_on=False,
        json_strict="grammar",
        tools=False,
        files="images",
    ),
)

COMPATIBLE = {row.type: row for row in _ROWS}
"""The vendors by type."""
