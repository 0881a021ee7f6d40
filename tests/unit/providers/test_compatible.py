from __future__ import annotations

from calibrant.providers.compatible import COMPATIBLE


def test_the_vendors_that_are_promised_are_there() -> None:
    assert set(COMPATIBLE) == {
        *("openai", "azure", "vllm", "sglang", "tgi", "groq", "mistral", "deepseek"),
        *("together", "fireworks", "xai", "openrouter", "hyperbolic"),
    }


def test_each_row_names_its_pages_and_an_address_that_is_safe() -> None:
    for kind, row in COMPATIBLE.items():
        assert row.type == kind
        assert row.docs and all("." in page and " " not in page for page in row.docs)
        assert row.base is None or (row.base.startswith("https://") and not row.base.endswith("/"))


def test_think_blocks_are_parsed_by_default_where_the_protocol_says_so() -> None:
    assert {kind for kind, row in COMPATIBLE.items() if row.think_blocks} == {"together", "fireworks"}
