"""A caller of OpenAI's chat dialect before providers of it and of others: who is told what of the caller's words."""

import asyncio
from time import monotonic

import msgspec
import pytest
from tests.support.engine import Line, function, model, said, variant

from calibrant.base.errors import InvalidRequest
from calibrant.engine.engine import Caller
from calibrant.engine.infer import infer
from calibrant.types.sent import Sent, SentMessage
from calibrant.wire import openai_chat

NOW = 1_780_000_000_000
NAMED = {"role": "user", "content": "Hello?", "name": "Ada"}
BEST = """
variants.b = { type = "chat_completion", model = "m", weight = 0.0 }
variants.best = { type = "experimental_best_of_n_sampling", candidates = ["v", "b"], evaluator = { model = "m" } }
"""


def run(line, target="model_name::m", **fields):
    body = {"model": f"tensorzero::{target}", "messages": [NAMED], **fields}
    request = openai_chat.decode(msgspec.json.encode(body), now_ms=NOW)
    return asyncio.run(infer(line.engine, request, Caller(), monotonic()))


def of_type(kind, extra=""):
    return model(extra="").replace('type = "openai"', f'type = "{kind}"{extra}')


@pytest.mark.parametrize("kind", ["openai", "openrouter", "sglang", "vllm"])
def test_who_speaks_the_dialect_is_told(tmp_path, kind):
    line = Line(tmp_path, of_type(kind), said())
    answered = run(line, user="u", audio={"voice": "v"}, logit_bias={"7": -1})
    assert line.sender.bodies == [
        {"model": "gpt", "messages": [NAMED], "user": "u", "audio": {"voice": "v"}, "logit_bias": {"7": -1}}
    ]
    # The answer is in our frame, whoever gave it.
    assert msgspec.json.decode(openai_chat.encode(answered))["id"] == answered.head.inference_id


@pytest.mark.parametrize(("kind", "extra"), [("mistral", ""), ("groq", ""), ("openai", '\napi_type = "responses"')])
def test_who_does_not_is_not(tmp_path, kind, extra):
    line = Line(tmp_path, of_type(kind, extra), said())
    with pytest.raises(InvalidRequest, match=r"\$.web_search_options"):
        run(line, web_search_options={})
    assert line.sender.calls == []


def test_hints_are_not_sent_to_a_vendor_that_may_refuse_them(tmp_path):
    line = Line(tmp_path, of_type("mistral"), said())
    run(line, user="u", logprobs=True)
    assert line.sender.bodies == [{"model": "gpt", "messages": [{"role": "user", "content": "Hello?"}]}]


def test_candidates_hear_no_parameters_and_the_judge_none_of_it(tmp_path):
    judged = said('{"thinking":"","answer_choice":0}')
    line = Line(tmp_path, model() + function(variant(), extra="") + BEST, said("A"), said("B"), judged)
    run(line, "function_name::f", user="u", logprobs=True, **{"tensorzero::variant_name": "best"})
    *candidates, judge = line.sender.bodies
    assert [(each["messages"], each["user"], "logprobs" in each) for each in candidates] == [([NAMED], "u", False)] * 2
    assert "user" not in judge and "name" not in judge["messages"][1]


def test_words_of_changed_messages_are_gone():
    sent = Sent("m", frozenset(), {}, (SentMessage(b"s", None), SentMessage(b"0", 0), SentMessage(b"1", 1)))
    assert sent.without(set()) is sent
    assert [each.raw for each in sent.without({1}).messages] == [b"s", b"0", None]
