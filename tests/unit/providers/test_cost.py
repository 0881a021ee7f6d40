"""Who says what a call costs, and what happens where nobody does."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.config.schema import CostRule, Provider
from calibrant.config.vendors import RELAY, VENDORS
from calibrant.providers.cost import UNKNOWN, Priced, Pricer, recalled, was_batched
from calibrant.providers.price_table import (
    FORMAT,
    Dated,
    Match,
    ModelPrices,
    Price,
    PriceTable,
    PriceVariant,
    ProviderPrices,
    Window,
)
from calibrant.types.reply import Usage

INPUT, OUTPUT = frozenset({"family=tokens", "direction=input"}), frozenset({"family=tokens", "direction=output"})
READ, WRITE = INPUT | {"token_type=cache_read"}, INPUT | {"token_type=cache_write"}
HOUR = WRITE | {"cache_ttl=1h"}
MTOK = 1_000_000


def price(unit, dollars, dimensions, *tiers):
    return Price(unit, MTOK, dimensions, dollars, tiers)


def model(name, *prices, **more):
    dated = more.pop("dated", None) or (Dated(prices),)
    return ModelPrices(name, Match("equals", name), dated, **more)


PLAIN = (price("input_tokens", "2.5", INPUT), price("output_tokens", "10", OUTPUT))
CACHES = (price("cache_read_tokens", "0.25", READ), price("cache_write_tokens", "3", WRITE))
FLEX = (price("output_tokens", "5", OUTPUT),)
MODELS = (
    model("plain", *PLAIN),
    model("cached", *PLAIN, *CACHES, price("cache_write_1h_tokens", "6", HOUR)),
    model("tiered", price("input_tokens", "1", INPUT, (100, "2")), price("output_tokens", "3", OUTPUT, (100, "4"))),
    model("embedder", PLAIN[0]),
    model("whisper", Price("audio_seconds", 3600, frozenset({"family=durations"}), "0.1")),
    model("flexible", *PLAIN, variants=(PriceVariant((("service_tier", "flex"),), FLEX),)),
    model(
        "batched",
        *PLAIN,
        variants=(PriceVariant((("processing", "batch"),), (price("input_tokens", "1", INPUT), *FLEX)),),
    ),
    model("dated", dated=(Dated(PLAIN), Dated(FLEX, Window(first_day=20_000)))),
)
TABLE = PriceTable(
    PriceTable.encode(
        "prices/1",
        [("openai", r"https://api\.openai\.com"), ("other", r"https://api\.other\.ai")],
        {
            "openai": ProviderPrices(MODELS),
            "azure": ProviderPrices((), ("openai",)),
            "openrouter": ProviderPrices(MODELS),
            "x-ai": ProviderPrices(MODELS),
            "other": ProviderPrices(
                (model("plain", price("input_tokens", "1", INPUT), price("output_tokens", "1", OUTPUT)),)
            ),
        },
    )
)


def pricer(kind="openai", name="plain", table=TABLE, **more):
    return Pricer(Provider("p", kind, name, **more), table)


def cost(made, *counts, raw=b"", body=b"", served=None, at_ms=0, stream=False):
    return made.price(Usage(*counts, raw=raw), body, served, at_ms, stream=stream)


def test_the_table_says_it_with_its_version():
    assert cost(pricer(), 1000, 100) == Priced("0.0035", "prices/1")


def test_cached_tokens_are_part_of_the_input():
    made = pricer(name="cached")
    assert cost(made, 1000, 0, 400, 100).cost == str(Decimal("0.00165"))
    assert cost(pricer(), 1000, 0, 400, 100).cost == "0.0025"
    assert cost(made, 10, 0, 8, 8) == UNKNOWN


def test_a_cache_for_an_hour_is_found_in_the_usage_and_in_the_first_event():
    made = pricer(name="cached")
    raw = b'{"cache_creation":{"ephemeral_1h_input_tokens":100,"ephemeral_5m_input_tokens":0}}'
    assert cost(made, 100, 0, 0, 100).cost == "0.0003"
    assert cost(made, 100, 0, 0, 100, raw=raw).cost == "0.0006"
    events = b'{"message":{"usage":' + raw + b'}}\n{"usage":{"output_tokens":1}}'
    assert cost(made, 100, 0, 0, 100, raw=b'{"output_tokens":1}', body=events).cost == "0.0006"


def test_a_tier_is_for_the_whole_prompt():
    made = pricer(name="tiered")
    assert (cost(made, 100, 10).cost, cost(made, 101, 10).cost) == ("0.00013", "0.000242")


def test_dates():
    made = pricer(name="dated")
    turn = 20_000 * 86_400_000
    assert [cost(made, 10, 10, at_ms=at).cost for at in (turn - 1, turn, turn - 1)] == [
        "0.000125",
        "0.00005",
        "0.000125",
    ]


def test_unknown_is_null():
    assert cost(pricer(name="nothing"), 1, 1) == UNKNOWN
    assert cost(pricer(name=""), 1, 1) == UNKNOWN
    assert cost(pricer(name="whisper"), 1, 1) == UNKNOWN
    assert cost(pricer(), None, 1) == UNKNOWN
    assert cost(pricer(table=None), 1, 1) == UNKNOWN
    assert cost(pricer("hyperbolic"), 1, 1) == UNKNOWN
    assert cost(pricer("groq"), 1, 1) == UNKNOWN


def test_a_usual_call_has_three_thousand_tokens_in_and_one_thousand_out():
    made = pricer()
    assert made.usual(0) == Decimal(cost(made, 3000, 1000).cost)
    turn = 20_000 * 86_400_000
    dated = pricer(name="dated")
    assert dated.usual(turn - 1) > dated.usual(turn)
    assert pricer(name="nothing").usual(0) is None
    assert pricer(table=None).usual(0) is None


@pytest.mark.parametrize(("told", "made"), [("prompt_tokens", "completion_tokens"), ("inputTokens", "outputTokens")])
def test_rules_price_a_usual_call_by_the_names_of_what_they_count(told, made):
    def rule(name, rate, **more):
        return CostRule(("usage", name), ("usage", name), Decimal(rate), **more)

    ruled = pricer(cost=(rule(told, "0.000001"), rule(made, "0.000002"), rule("cached_tokens", "-5", required=True)))
    assert ruled.usual(0) == Decimal("0.005")
    assert pricer(cost=(rule("searches", "0.01"),)).usual(0) is None


def test_nothing_made_costs_what_was_sent():
    assert cost(pricer(), 1000, None).cost == cost(pricer(), 1000, 0).cost == "0.0025"
    assert cost(pricer(name="embedder"), 1000, None).cost == "0.0025"


def test_the_configured_name_counts_then_the_served_one():
    assert cost(pricer(name="plain"), 1000, 0, served="tiered").cost == "0.0025"
    assert cost(pricer(name="my-name"), 1000, 0, served="tiered").cost == "0.002"
    assert cost(pricer("azure", "plain"), 1000, 0, served="tiered").cost == "0.002"
    assert cost(pricer("azure", "plain"), 1000, 0, served="unheard-of").cost == "0.0025"
    assert cost(pricer("openrouter", "auto"), 1000, 0, served="tiered").cost == "0.002"


def test_an_address_says_whose_prices_count():
    assert cost(pricer(api_base="https://api.openai.com/v1"), 1000, 0).cost == "0.0025"
    assert cost(pricer(api_base="https://api.other.ai/v1"), 1000, 0).cost == "0.001"
    assert cost(pricer(api_base="http://127.0.0.1:8000/v1"), 1000, 0) == UNKNOWN
    assert cost(pricer("vllm", api_base="https://api.openai.com/v1"), 1000, 0) == UNKNOWN


def test_service_tiers():
    made = pricer(name="flexible")
    assert cost(made, 0, 100, body=b'{"service_tier":"default"}') == Priced("0.001", "prices/1")
    flex = cost(made, 0, 100, body=b'{"service_tier": "flex"}')
    assert flex == Priced("0.0005", "prices/1+service_tier=flex")
    assert cost(made, 0, 100, body=recalled(flex.version)) == flex
    assert cost(made, 0, 100, body=recalled("prices/1")).cost == "0.001"
    assert cost(pricer("azure", "flexible"), 0, 100, body=b'{"service_tier":"flex"}').version == "prices/1"
    assert recalled(None) == b"{}"


def test_what_needs_the_answer_says_so():
    assert pricer(name="flexible").reads_answer(Usage(1, 1), None)
    assert pricer(name="cached").reads_answer(Usage(1, 1, 0, 1), None)
    assert not pricer(name="cached").reads_answer(Usage(1, 1), None)
    assert not pricer(name="nothing").reads_answer(Usage(1, 1), None)


RULE = CostRule(("usage", "n"), ("usage", "n"), Decimal("0.5"), True)


def test_rules_come_before_everything():
    made = pricer("openrouter", cost=(RULE,))
    assert made.has_rules() and made.reads_answer(Usage(), None)
    assert cost(made, 1, 1, raw=b'{"cost":7}', body=b'{"usage":{"n":3}}') == Priced("1.5", "config")
    assert cost(made, 1, 1, raw=b'{"cost":7}', body=b"{}") == UNKNOWN
    less = pricer(cost=(CostRule(("n",), ("n",), Decimal(-1)),))
    assert cost(less, 1, 1, body=b'{"n":2}') == Priced(negative=Decimal(-2))


def batched(made, body=b"{}"):
    return made.price(Usage(1000, 100), body, None, 0, stream=False, batch=True)


def test_a_batch_has_prices_of_its_own():
    found = batched(pricer(name="batched"))
    assert found == Priced("0.0015", "prices/1+processing=batch") and was_batched(found.version)
    assert cost(pricer(name="batched"), 1000, 100) == Priced("0.0035", "prices/1")


def test_the_price_of_single_calls_is_no_price_of_a_batch():
    unknown = Priced(None, "unknown+processing=batch")
    assert batched(pricer(name="plain")) == batched(pricer(name="nothing")) == batched(pricer(table=None)) == unknown
    # Whose single calls have prices of their own has batches at no list price either.
    assert batched(pricer(name="batched", cost=(RULE,)), b'{"usage":{"n":3}}') == unknown
    assert was_batched(unknown.version) and not was_batched(None) and not was_batched("prices/1")


def test_rules_of_batches_hold_for_batches_alone():
    made = pricer(name="batched", batch_cost=(RULE,))
    assert batched(made, b'{"usage":{"n":3}}') == Priced("1.5", "config+processing=batch")
    assert batched(made) == Priced(None, "config+processing=batch")
    assert cost(made, 1000, 100, body=b'{"usage":{"n":3}}') == Priced("0.0035", "prices/1")
    assert made.has_rules(batch=True) and not made.has_rules()
    assert made.reads_answer(Usage(1, 1), None, batch=True)


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        # openrouter.ai/docs/use-cases/usage-accounting; beside a key of one's own `cost` is the fee alone
        ("openrouter", b'{"cost":0.0012345678901234567}', "0.0012345678901234567"),
        ("openrouter", b'{"cost":0}', "0"),
        ("openrouter", b'{"cost":0.5,"is_byok":false,"cost_details":{"upstream_inference_cost":0.5}}', "0.5"),
        ("openrouter", b'{"cost":0.25,"is_byok":true,"cost_details":{"upstream_inference_cost":0.5}}', "0.75"),
        # docs.x.ai/developers/cost-tracking
        ("xai", b'{"cost_in_usd_ticks":37756000}', "0.0037756"),
        ("xai", b'{"cost_in_usd_ticks":0}', "0"),
    ],
)
def test_what_a_provider_says_itself(kind, raw, expected):
    assert cost(pricer(kind), 1, 1, raw=raw) == Priced(expected, "provider")


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("openrouter", b'{"cost":null}'),
        ("openrouter", b'{"cost":"1"}'),
        ("openrouter", b'{"cost":-1}'),
        ("openrouter", b'{"cost":true}'),
        ("openrouter", b'{"cost":1e99999}'),
        ("openrouter", b'{"cost":0,"is_byok":true,"cost_details":null}'),
        ("openrouter", b'{"cost_details":{"upstream_inference_cost":1}}'),
        ("openrouter", b'["cost"]'),
        ("openrouter", b'{"cost":'),
        ("xai", b'{"cost":1}'),
        ("openai", b'{"cost":1}'),
    ],
)
def test_what_a_provider_does_not_say_is_looked_up(kind, raw):
    assert cost(pricer(kind), 1000, 0, raw=raw) == Priced("0.0025", "prices/1")


def test_names_that_providers_choose_are_not_kept_for_ever():
    made = pricer()
    for i in range(1000):
        cost(made, 1, 1, served=f"m{i}")
    assert len(made._found) <= 256


def test_the_types_that_have_prices_are_types():
    from calibrant.providers import cost as module

    assert set(module._VENDORS) <= {*VENDORS, RELAY}
    assert set(VENDORS) - set(module._VENDORS) == {"hyperbolic", "vllm", "sglang", "tgi", "aws_sagemaker"}


def test_another_format_is_no_table():
    with pytest.raises(ValueError, match="format"):
        PriceTable(msgspec.json.encode({"version": "x", "format": FORMAT + 1, "patterns": [], "providers": {}}))
    with pytest.raises(ValueError):
        PriceTable(b"{}")


@given(
    raw=st.binary(max_size=100)
    | st.sampled_from([b'{"cost":' + b"[" * 3000, b'{"cache_creation":7,"cacheDetails":[1]}']),
    body=st.binary(max_size=100),
    kind=st.sampled_from(["openai", "openrouter", "xai"]),
    name=st.sampled_from(["plain", "cached", "flexible"]),
    counts=st.tuples(*[st.none() | st.integers(0, 2**63)] * 4),
)
def test_nothing_is_raised(raw, body, kind, name, counts):
    found = cost(pricer(kind, name), *counts, raw=raw, body=body)
    assert found.cost is None or Decimal(found.cost) >= 0
    assert (found.cost is None) == (found.version is None)
