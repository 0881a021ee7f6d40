"""What a provider's own usage object says beyond the counts of `Usage`: audio, images, long caches, searches.

Only priced units are looked for, and only where their key is among the bytes, so that most calls pay nothing.
The shapes: OpenAI `completions.usage`, Anthropic `messages.usage`, Bedrock `TokenUsage`, Google `UsageMetadata`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from calibrant.providers.refusal import UNREADABLE
from calibrant.types.reply import Usage

__all__ = ["details", "looked_for"]

_PATHS: Mapping[str, tuple[str, str]] = {
    "input_audio_tokens": ("prompt_tokens_details", "audio_tokens"),
    "output_audio_tokens": ("completion_tokens_details", "audio_tokens"),
    "cache_write_5m_tokens": ("cache_creation", "ephemeral_5m_input_tokens"),
    "cache_write_1h_tokens": ("cache_creation", "ephemeral_1h_input_tokens"),
    "web_searches": ("server_tool_use", "web_search_requests"),
}
_KINDS = {"TEXT": "text", "AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image", "VIDEO": "video"}
"""Google's modalities, and what they are in the name of a unit; pages of documents are priced as images."""
_LISTS: Mapping[str, tuple[str, ...]] = {
    "promptTokensDetails": ("input_{}_tokens",),
    "toolUsePromptTokensDetails": ("input_{}_tokens", "input_{}_tool_tokens"),
    "cacheTokensDetails": ("cache_{}_read_tokens",),
    "candidatesTokensDetails": ("output_{}_tokens",),
}
_NEEDLES: Mapping[str, tuple[bytes, ...]] = {
    "input_audio_tokens": (b'"audio_tokens"', b'"AUDIO"'),
    "output_audio_tokens": (b'"audio_tokens"', b'"AUDIO"'),
    "cache_audio_read_tokens": (b'"AUDIO"',),
    "input_image_tokens": (b'"IMAGE"', b'"DOCUMENT"'),
    "output_image_tokens": (b'"IMAGE"', b'"DOCUMENT"'),
    "cache_image_read_tokens": (b'"IMAGE"', b'"DOCUMENT"'),
    "input_video_tokens": (b'"VIDEO"',),
    "output_video_tokens": (b'"VIDEO"',),
    "cache_video_read_tokens": (b'"VIDEO"',),
    "cache_write_5m_tokens": (b'"ephemeral_5m_input_tokens"', b'"cacheDetails"'),
    "cache_write_1h_tokens": (b'"ephemeral_1h_input_tokens"', b'"cacheDetails"'),
    "web_searches": (b'"web_search_requests"',),
    "output_reasoning_tokens": (b'"reasoning_tokens"', b'"thoughtsTokenCount"', b'"thinking_tokens"'),
}
_HOUR = re.compile(rb'"ephemeral_1h_input_tokens"\s*:\s*(\d{1,15})\b')

_decode = msgspec.json.Decoder().decode


def looked_for(units: Iterable[str]) -> tuple[bytes, ...]:
    """Return the keys of which one must be in a usage object for it to have any of these units."""
    return tuple(dict.fromkeys(needle for unit in units for needle in _NEEDLES.get(unit, ())))


def details(usage: Usage, body: bytes) -> dict[str, int]:
    """Return the counts by the names of their units; those that are 0 are left out.

    Args:
        usage: With the provider's own object.
        body: The whole answer. The first event of a stream may say how long a cache was asked for, where the
            last one, whose usage is kept, does not.
    """
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
    }
    found = {unit: count for unit, count in counts.items() if count}
    for unit, count in _said(_opened(usage.raw)):
        if count > 0:
            found[unit] = found.get(unit, 0) + count
    if usage.cache_write_tokens and "cache_write_1h_tokens" not in found:
        hours = [int(number) for number in _HOUR.findall(body)]
        if any(hours):
            found["cache_write_1h_tokens"] = max(hours)
    return found


def _said(document: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for unit, (outer, inner) in _PATHS.items():
        yield unit, _count(_table(document.get(outer)).get(inner))
    for key, units in _LISTS.items():
        for entry in _tables(document.get(key)):
            kind = _KINDS.get(str(entry.get("modality")))
            if kind is not None:
                for unit in units:
                    yield unit.format(kind), _count(entry.get("tokenCount"))
    for entry in _tables(document.get("cacheDetails")):
        if entry.get("ttl") in ("5m", "1h"):
            yield f"cache_write_{entry['ttl']}_tokens", _count(entry.get("inputTokens"))


def _opened(raw: bytes) -> Mapping[str, Any]:
    try:
        return _table(_decode(raw))
    except UNREADABLE:
        return {}


def _table(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _tables(value: Any) -> list[Mapping[str, Any]]:
    return [_table(entry) for entry in cast("list[Any]", value)] if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
