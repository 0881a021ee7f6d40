from __future__ import annotations

import pytest

from calibrant.providers.anthropic_model import adapts, max_output_tokens, takes_budget, unthinking


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-fable-5-1", 128_000),
        ("claude-opus-5-5", 128_000),
        ("claude-sonnet-5", 128_000),
        ("claude-haiku-5-5", 128_000),
        ("claude-sonnet-4-6", 128_000),
        ("claude-opus-4-5@20251101", 64_000),
        ("claude-haiku-4-5-20251001", 64_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-opus-4-1@20250805", 32_000),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", 32_000),
        ("claude-3-7-sonnet-latest", 64_000),
        ("claude-3-5-haiku@20241022", 8_192),
        ("claude-3-opus-20240229", 4_096),
        ("claude-instant-1-2", None),
        ("claude-mythos-preview", None),
        ("gpt-6", None),
        ("", None),
    ],
)
def test_how_much_a_model_writes_at_most(model: str, limit: int | None) -> None:
    assert max_output_tokens(model) == limit


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("claude-opus-4-5", (False, True, "disabled")),
        ("claude-3-7-sonnet-latest", (False, True, "disabled")),
        ("claude-sonnet-4-6", (True, True, "disabled")),
        ("claude-opus-4-7", (True, False, "disabled")),
        ("claude-opus-5", (True, False, "disabled")),
        ("claude-sonnet-5-5", (True, False, "between_tools")),
        ("claude-sonnet-5-5@20260928", (True, False, "between_tools")),
        ("of-nobody", (True, True, "disabled")),
    ],
)
def test_how_a_model_is_told_to_think(model: str, told: tuple[bool, bool, str]) -> None:
    assert (adapts(model), takes_budget(model), unthinking(model)) == told
