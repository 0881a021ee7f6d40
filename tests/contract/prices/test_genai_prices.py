"""genai-prices itself as the judge: for every provider and model, our table makes the same of the same counts."""

import random
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import types
from genai_prices.data import providers
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.app.price_source import price_table
from calibrant.config.schema import Provider
from calibrant.providers.cost import Pricer
from calibrant.providers.price_table import PriceTable
from calibrant.types.reply import Usage

TABLE = PriceTable(price_table())
OURS = {
    "anthropic": "anthropic",
    "aws": "aws_bedrock",
    "azure": "azure",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google": "google_ai_studio_gemini",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "together",
    "x-ai": "xai",
}
BY_ID = {provider.id: provider for provider in providers}
DAYS = [
    datetime(2024, 6, 1, 3, 7, tzinfo=UTC),
    datetime(2025, 9, 5, 17, 59, tzinfo=UTC),
    datetime(2026, 11, 28, 7, tzinfo=UTC),
]
TOKENS = ("input_mtok", "output_mtok", "input_text_mtok", "output_text_mtok")


def pricer(provider_id, name):
    return Pricer(Provider("p", OURS[provider_id], name), TABLE)


def theirs(provider_id, name, at, context=None, **usage):
    """Their price; null where they know no model, find a contradiction, or have no price for tokens."""
    try:
        done = genai_prices.calc_price(
            genai_prices.Usage(**usage),
            name,
            provider_id=provider_id,
            genai_request_timestamp=at,
            price_context=context,
        )
    except (LookupError, ValueError):
        return None
    return done.total_price if any(getattr(done.model_price, key) is not None for key in TOKENS) else None


def ours(provider_id, name, at, usage, body=b"", served=None):
    millis = int(at.timestamp() * 1000)
    cost = pricer(provider_id, name).price(usage, body, served, millis, stream=False).cost
    return None if cost is None else Decimal(cost)


def names(clause):
    """Names that a clause speaks of."""
    match clause:
        case types.ClauseOr(or_=parts) | types.ClauseAnd(and_=parts):
            return [name for part in parts for name in names(part)]
        case types.ClauseRegex():
            return []
        case _:
            return list(vars(clause).values())


@pytest.mark.parametrize("provider_id", OURS)
def test_every_model_costs_the_same(provider_id):
    draw = random.Random(provider_id)
    known = 0
    for model in BY_ID[provider_id].models:
        for name in {model.id, draw.choice(names(model.match) or [model.id]).upper()}:
            at = draw.choice(DAYS)
            total = draw.choice([0, 1, 999, 127_999, 200_001, 272_001, 3_000_000])
            read = draw.choice([0, total // 3])
            written = draw.choice([0, total // 5])
            made = draw.choice([0, 7, 64_000])
            expected = theirs(
                provider_id,
                name,
                at,
                input_tokens=total,
                output_tokens=made,
                cache_read_tokens=read,
                cache_write_tokens=written,
            )
            found = ours(provider_id, name, at, Usage(total, made, read, written))
            assert found == expected, (name, at, total, made, read, written)
            known += found is not None
    assert known


@pytest.mark.parametrize("provider_id", OURS)
def test_every_model_costs_the_same_at_every_tier_and_date(provider_id):
    for model in BY_ID[provider_id].models:
        prices = model.prices if isinstance(model.prices, list) else []
        days = {each.constraint.start_date for each in prices if isinstance(each.constraint, types.StartDateConstraint)}
        stamps = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in sorted(days)]
        for at in stamps:
            for millis in (-1, 0):
                moment = datetime.fromtimestamp(at.timestamp() + millis / 1000, UTC)
                expected = theirs(provider_id, model.id, moment, input_tokens=1001, output_tokens=17)
                assert ours(provider_id, model.id, moment, Usage(1001, 17)) == expected, (model.id, moment)
        every = [each.prices for each in prices] or [model.prices]
        starts = {
            tier.start
            for each in every
            for price in vars(each).values()
            if isinstance(price, types.TieredPrices)
            for tier in price.tiers
        }
        for start in starts:
            for total in (start, start + 1):
                expected = theirs(
                    provider_id, model.id, DAYS[-1], input_tokens=total, output_tokens=3, cache_read_tokens=2
                )
                assert ours(provider_id, model.id, DAYS[-1], Usage(total, 3, 2)) == expected, (model.id, total)


@pytest.mark.parametrize("name", ["deepseek-chat", "deepseek-reasoner", "deepseek-flash", "deepseek-v4-pro"])
@given(at=st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), told=st.integers(0, 10**7))
@settings(max_examples=60, deadline=None)
def test_the_hours_of_the_day(name, at, told):
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert ours("deepseek", name, at, Usage(told, 5, told // 2)) == theirs(
        "deepseek", name, at, input_tokens=told, output_tokens=5, cache_read_tokens=told // 2
    )


@given(
    counts=st.tuples(*[st.integers(0, 2**40)] * 4),
    at=st.datetimes(datetime(2023, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    where=st.sampled_from([(p, m.id) for p in OURS for m in BY_ID[p].models]),
)
@settings(max_examples=300, deadline=None)
def test_any_counts_at_any_time(counts, at, where):
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    keys = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    assert ours(*where, at, Usage(*counts)) == theirs(*where, at, **dict(zip(keys, counts)))


USAGES = {
    "anthropic": [
        (
            "default",
            (
                b'{"input_tokens":100,"cache_creation_input_tokens":70,"cache_read_input_tokens":9,"output_tokens":50,'
                b'"cache_creation":{"ephemeral_5m_input_tokens":30,"ephemeral_1h_input_tokens":40},'
                b'"server_tool_use":{"web_search_requests":3}}'
            ),
            Usage(179, 50, 9, 70),
        )
    ],
    "aws": [
        (
            "default",
            (
                b'{"inputTokens":100,"outputTokens":50,"cacheReadInputTokens":9,"cacheWriteInputTokens":70,'
                b'"cacheDetails":[{"ttl":"5m","inputTokens":30},{"ttl":"1h","inputTokens":40}]}'
            ),
            Usage(179, 50, 9, 70),
        )
    ],
    "openai": [
        (
            "chat",
            (
                b'{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"audio_tokens":60,"cached_tokens":0},'
                b'"completion_tokens_details":{"audio_tokens":20,"reasoning_tokens":5}}'
            ),
            Usage(100, 50, 0, None, 5),
        )
    ],
    "google": [
        (
            "default",
            (
                b'{"promptTokenCount":100,"candidatesTokenCount":40,"thoughtsTokenCount":10,"toolUsePromptTokenCount":11,'
                b'"promptTokensDetails":[{"modality":"AUDIO","tokenCount":30},{"modality":"TEXT","tokenCount":70}],'
                b'"toolUsePromptTokensDetails":[{"modality":"TEXT","tokenCount":11}],'
                b'"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":25}]}'
            ),
            Usage(111, 50, None, None, 10),
        ),
        (
            "default",
            (
                b'{"promptTokenCount":100,"candidatesTokenCount":40,"cachedContentTokenCount":20,'
                b'"promptTokensDetails":[{"modality":"AUDIO","tokenCount":30},{"modality":"VIDEO","tokenCount":40},'
                b'{"modality":"DOCUMENT","tokenCount":8}],'
                b'"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":12},{"modality":"TEXT","tokenCount":8}]}'
            ),
            Usage(100, 40, 20),
        ),
    ],
}


@pytest.mark.parametrize(
    ("provider_id", "flavor", "raw", "usage"), [(p, *case) for p, cases in USAGES.items() for case in cases]
)
def test_what_a_usage_object_says_beyond_the_usual_counts(provider_id, flavor, raw, usage):
    import msgspec

    key = "usageMetadata" if provider_id == "google" else "usage"
    provider = BY_ID[provider_id]
    _, counts = provider.extract_usage({key: msgspec.json.decode(raw)}, api_flavor=flavor)
    counted = {name: value for name, value in vars(counts).items() if value}
    with_more = 0
    for model in provider.models:
        expected = theirs(provider_id, model.id, DAYS[-1], **counted)
        found = ours(
            provider_id, model.id, DAYS[-1], Usage(*[getattr(usage, f) for f in usage.__struct_fields__[:5]], raw=raw)
        )
        assert found == expected, model.id
        with_more += found is not None and found != ours(provider_id, model.id, DAYS[-1], usage)
    assert with_more


@pytest.mark.parametrize(
    ("provider_id", "context", "raw", "body"),
    [
        ("openai", {"service_tier": "flex"}, b"{}", b'{"model":"x","service_tier": "flex"}'),
        ("openai", {"service_tier": "priority"}, b"{}", b'{"service_tier":"auto"}\n{"service_tier":"priority"}'),
        ("openai", {"service_tier": "default"}, b"{}", b'{"service_tier":"default"}'),
        ("google", {"service_tier": "flex"}, b'{"serviceTier":"FLEX"}', b""),
        ("anthropic", {"speed": "fast"}, b'{"speed":"fast"}', b""),
        ("anthropic", {}, b"{}", b'{"content":[{"input":{"speed":"fast"}}]}'),
    ],
)
def test_tiers_and_speeds(provider_id, context, raw, body):
    changed = 0
    for model in BY_ID[provider_id].models:
        plain = Usage(1000, 30, 10, raw=raw)
        found = ours(provider_id, model.id, DAYS[-1], plain, body)
        counts = {"input_tokens": 1000, "output_tokens": 30, "cache_read_tokens": 10}
        assert found == theirs(provider_id, model.id, DAYS[-1], context, **counts), model.id
        changed += found != theirs(provider_id, model.id, DAYS[-1], **counts)
    assert bool(changed) == (context.get("service_tier") in ("flex", "priority") or "speed" in context)


@pytest.mark.parametrize(
    "name",
    ["gpt-5.2-20251211", "gpt-5.2-20251399", "GPT-4o", "gpt-nothing", "ft:gpt-4o:x", "", "claude-sonnet-4-5@20250929"],
)
@pytest.mark.parametrize("provider_id", ["openai", "azure", "google", "openrouter"])
def test_names_mean_the_same(provider_id, name):
    counts = {"input_tokens": 1000, "output_tokens": 30}
    assert ours(provider_id, name, DAYS[-1], Usage(1000, 30)) == theirs(provider_id, name, DAYS[-1], **counts)


@pytest.mark.parametrize("provider_id", ["openai", "anthropic"])
def test_batches_cost_what_theirs_do(provider_id):
    at, seen = DAYS[-1], 0
    for model in BY_ID[provider_id].models:
        if not any(each.when == {"processing": "batch"} for each in model.price_variants or ()):
            continue
        theirs_ = theirs(provider_id, model.id, at, {"processing": "batch"}, input_tokens=1_000_000, output_tokens=1000)
        made = pricer(provider_id, model.id)
        mine = made.price(Usage(1_000_000, 1000), b"", None, int(at.timestamp() * 1000), stream=False, batch=True)
        assert theirs_ is None or Decimal(mine.cost) == theirs_, model.id
        seen += theirs_ is not None
    assert seen >= 10
