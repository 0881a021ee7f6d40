"""What an inference costs, through the line: on the answer, on the rows, in the metrics."""

import logging

import msgspec
import pytest
from tests.support.engine import Answer, event, function, model, refusal, said, streamed, variant

from calibrant.base.errors import AllVariantsFailed, Disconnected
from calibrant.providers.price_table import Dated, Match, ModelPrices, Price, PriceTable, ProviderPrices
from calibrant.wire import native, openai_chat

RULES = """cost = [
    { pointer = "/usage/prompt_tokens", cost_per_million = 2.5, required = true },
    { pointer = "/usage/completion_tokens", cost_per_million = 10 },
]
"""
COST = "0.0000475"
"""Of 7 and 3 tokens by these rules."""
TABLE = PriceTable(
    PriceTable.encode(
        "prices/7",
        [("openai", r"http://p\.m")],
        {
            "openai": ProviderPrices(
                (
                    ModelPrices(
                        "gpt",
                        Match("equals", "gpt"),
                        (
                            Dated(
                                (
                                    Price("input_tokens", 10**6, frozenset({"direction=input"}), "2.5"),
                                    Price("output_tokens", 10**6, frozenset({"direction=output"}), "10"),
                                )
                            ),
                        ),
                    ),
                )
            )
        },
    )
)


def ruled(name="m", *providers, rules=RULES):
    """A model whose providers have rules."""
    return model(name, *providers).replace('api_key_location = "none"', f'api_key_location = "none"\n{rules}')


def test_a_whole_answer_and_its_rows(line):
    it = line(ruled() + function(), said())
    answered = it.infer()
    call = it.attempts[0]
    assert answered.cost == it.row.cost == call.cost == COST
    assert (call.price_version, call.usage_source) == ("config", "reported")
    assert b'"cost":0.0000475,' in native.encode(answered)
    assert it.counted("cost_usd") == {("m",): float(COST)}
    assert it.counted("unknown_costs") == {("m",): 0}


def test_a_stream_and_its_rows(line):
    it = line(ruled() + function(), streamed("Hi", "."))
    stream, _ = it.stream(dialect="openai_chat", include_usage=True)
    assert stream.answered.cost == it.row.cost == it.attempts[0].cost == COST
    last = openai_chat.Events(stream.head).final(stream.answered)
    assert b'"tensorzero_cost":0.0000475' in last
    assert it.at_open[0].inference.cost is None


def test_the_price_table_serves_models_without_rules(line):
    it = line(model() + function(), said(), streamed("x"), prices=TABLE)
    assert it.infer().cost == COST
    assert it.stream()[0].answered.cost == COST
    assert [record.model_inferences[0].price_version for record in (it.records[0], it.records[-1])] == ["prices/7"] * 2


def test_shorthands_have_prices_too(line):
    it = line("", said(), prices=TABLE, environ={"OPENAI_API_KEY": "k"})
    assert it.infer(model_name="openai::gpt").cost == COST


def test_an_unknown_price_is_null_and_counted(line):
    it = line(model() + function(), said())
    assert it.infer().cost is it.row.cost is it.attempts[0].cost is it.attempts[0].price_version is None
    assert it.counted("unknown_costs") == {("m",): 1}
    assert b'"cost":null' in native.encode(it.infer())


def test_failed_calls_that_made_nothing_do_not_count(line):
    it = line(ruled("m", "a", "b") + function(), refusal(503), said())
    assert it.infer().cost == it.row.cost == COST
    assert [(call.usage_source, call.cost) for call in it.attempts] == [("none", None), ("reported", COST)]


def test_an_inference_that_failed_altogether_costs_nothing_that_is_known(line):
    it = line(ruled() + function(), refusal(503))
    with pytest.raises(AllVariantsFailed):
        it.infer()
    assert it.row.cost is it.attempts[0].cost is None
    assert it.counted("unknown_costs") == {("m",): 0}


def test_an_answer_that_is_given_up_after_its_tokens_were_made_counts(line):
    """A variant whose JSON nobody can read is not given up here; two calls of one inference add up all the same."""
    from calibrant.engine.journal import Journal

    it = line(ruled() + function(), said())
    it.infer()
    journal = Journal("i")
    one = msgspec.structs.replace(it.attempts[0], cost="0.1")
    journal.rows += [one, msgspec.structs.replace(one, cost="0.2")]
    assert journal.cost() == "0.3"
    journal.rows.append(msgspec.structs.replace(one, cost=None))
    assert journal.cost() is None


def test_a_broken_stream_is_billed_for_what_arrived(line):
    usage = {"prompt_tokens": 1000, "completion_tokens": 2}
    answer = Answer(event({"content": "Hello"}, usage=usage), Disconnected("cut"))
    it = line(model() + function(), answer, prices=TABLE)
    stream, _ = it.stream()
    call = it.attempts[0]
    assert (call.usage_source, call.cost) == ("partial", "0.00252")
    assert it.row.cost == stream.answered.cost == "0.00252"
    assert msgspec.json.decode(call.raw_usage) == usage


def test_a_broken_stream_without_a_count_is_estimated(line):
    it = line(model() + function(), Answer(event({"content": "four" * 100}), Disconnected("cut")), prices=TABLE)
    it.stream()
    call = it.attempts[0]
    assert (call.usage_source, call.output_tokens, call.raw_usage) == ("estimated", 100, None)
    assert call.input_tokens > 0 and float(call.cost) == pytest.approx((call.input_tokens * 2.5 + 1000) / 1e6)
    assert it.row.input_tokens is None
    assert it.counted("output_tokens") == {("m",): 0}


def test_a_count_that_was_made_before_most_of_the_text_came_is_replaced(line):
    usage = {"prompt_tokens": 1000, "completion_tokens": 1}
    answer = Answer(event({"content": ""}, usage=usage), event({"content": "four" * 100}), Disconnected("cut"))
    it = line(model() + function(), answer, prices=TABLE)
    it.stream()
    call = it.attempts[0]
    assert (call.usage_source, call.input_tokens, call.output_tokens) == ("estimated", 1000, 100)
    assert msgspec.json.decode(call.raw_usage) == usage


def test_a_whole_stream_keeps_its_providers_count_however_small(line):
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    it = line(model() + function(), streamed("four" * 100, usage=usage), prices=TABLE)
    it.stream()
    assert (it.attempts[0].usage_source, it.attempts[0].output_tokens) == ("reported", 1)


def test_less_than_nothing_is_an_error_in_the_log(line, caplog):
    rules = 'cost = [{ pointer = "/usage/prompt_tokens", cost_per_unit = -1 }]\n'
    it = line(ruled(rules=rules) + function(), said())
    with caplog.at_level(logging.ERROR):
        assert it.infer().cost is None
    assert "models.m.providers.p.cost: the rules make -7" in caplog.text


@pytest.mark.parametrize("policy", ["metadata", "none"])
def test_costs_stay_where_payloads_do_not(line, policy):
    it = line(ruled() + function(extra=f'record.payloads = "{policy}"'), said())
    it.infer()
    assert (it.row.cost, it.attempts[0].cost, it.attempts[0].raw_response) == (COST, COST, None)
    assert it.attempts[0].raw_usage is not None


def test_every_variant_that_was_tried_is_in_the_sum(line):
    extra = 'experimentation = { type = "static", candidate_variants = { a = 1 }, fallback_variants = ["b"] }\n'
    it = line(ruled("x") + ruled("y") + function(variant("a", "x"), variant("b", "y"), extra=extra), refusal(), said())
    assert it.infer().cost == COST
    assert [call.model_name for call in it.attempts] == ["x", "y"]
