"""Variants of several calls, examples and the cache through a real gateway: processes, database, HTTP."""

import msgspec
import pytest
from tests.e2e.conftest import models
from tests.support.gateway import gateway, until

from calibrant.testing.faults import Answer, Script, json_answer
from calibrant.testing.upstream import run_upstream

CONFIG = """
{models}

[functions.draft]
type = "chat"
variants.a = {{ type = "chat_completion", model = "a" }}
variants.b = {{ type = "chat_completion", model = "b" }}
variants.broken = {{ type = "chat_completion", model = "broken" }}
[functions.draft.variants.best]
type = "experimental_best_of_n_sampling"
candidates = ["a", "b", "broken"]
evaluator = {{ model = "judge", json_mode = "off" }}
[functions.draft.variants.mixed]
type = "experimental_mixture_of_n"
candidates = ["a", "b"]
fuser = {{ model = "fuser" }}

[functions.answer]
type = "chat"
variants.plain = {{ type = "chat_completion", model = "echo" }}
variants.shown = {{ type = "experimental_dynamic_in_context_learning", model = "echo", k = 3 }}
[functions.answer.experimentation]
type = "static"
candidate_variants = ["plain"]
"""
SCRIPTS = {
    "a": Script(answer=Answer(text="Answer A.")),
    "b": Script(answer=Answer(text="Answer B.")),
    "broken": Script(status=500),
    "judge": Script(answer=json_answer({"thinking": "t", "answer_choice": 0})),
    "fuser": Script(answer=Answer(text="Both answers.")),
    "echo": Script(),
}


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models=SCRIPTS) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, upstream):
    config = CONFIG.format(models=models(upstream.url, SCRIPTS))
    with gateway(tmp_path_factory.mktemp("gateway"), config, args=["--workers", "2"]) as started:
        yield started


def ask(text="Say something.", **fields):
    return {"input": {"messages": [{"role": "user", "content": text}]}, **fields}


def stream_of(running, body):
    lines = running.infer({**body, "stream": True}).text.split("\n\n")
    assert lines[-2] == "data: [DONE]"
    return [msgspec.json.decode(line.removeprefix("data: ")) for line in lines[:-2]]


def strategy(running, inference_id):
    return msgspec.json.decode(running.inference(inference_id)["strategy"])


@pytest.mark.parametrize("stream", [False, True])
def test_best_of_n(running, stream):
    body = ask(function_name="draft", variant_name="best")
    if stream:
        first, *_, last = stream_of(running, body)
        answer, text = first, first["content"][0]["text"]
        assert last["finish_reason"] == "stop"
    else:
        answer = running.infer(body).json()
        text = answer["content"][0]["text"]
    noted = strategy(running, answer["inference_id"])
    assert text == f"Answer {'AB'[noted['chosen']]}."
    assert noted["order"][0] == noted["chosen"] and sorted(noted["order"]) == [0, 1]
    assert noted["failed"] == {"2": "providers_exhausted"}
    rows = running.model_inferences(answer["inference_id"])
    assert sorted((row["model_name"], row["status"]) for row in rows) == [
        ("a", "ok"),
        ("b", "ok"),
        ("broken", "error"),
        ("judge", "ok"),
    ]


def test_mixture_of_n_streams(running):
    *chunks, last = stream_of(running, ask(function_name="draft", variant_name="mixed"))
    text = "".join(block["text"] for chunk in chunks for block in chunk["content"])
    assert text == "Both answers." and len([chunk for chunk in chunks if chunk["content"]]) > 1
    assert last["usage"]["input_tokens"] > 0
    assert strategy(running, last["inference_id"])["chosen"] is None


def test_demonstrations_become_examples(running, upstream):
    texts = ("Where is the station at the harbour?", "Where can I buy a kettle in town?")
    for text in texts:
        answer = running.infer(ask(text, function_name="answer")).json()
        demonstration = {"metric_name": "demonstration", "value": f"Right: {text}"}
        reply = running.post("/feedback", {**demonstration, "inference_id": answer["inference_id"]})
        assert reply.status_code == 200, reply.text

    def shown():
        body = ask("Where does the train to the harbour leave?", function_name="answer", variant_name="shown")
        answer = running.infer(body).json()
        noted = strategy(running, answer["inference_id"])
        return answer if len(noted["examples"]) == 2 else None

    # Whichever of the two workers answers.
    answers = [until(shown, "the demonstrations to be examples") for _ in range(6)]
    assert all(answers)
    sent = msgspec.json.decode(upstream.captured[-1].body)["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert sent[-2]["content"] == f"Right: {texts[0]}"
    # The question itself is no example of its own.
    answer = running.infer(ask(texts[0], function_name="answer", variant_name="shown")).json()
    assert len(strategy(running, answer["inference_id"])["examples"]) == 1


def test_the_cache_is_shared_by_workers_and_purged_for_all(running, upstream):
    body = ask("A question to be asked again.", model_name="echo", cache_options={"enabled": "on"})

    def rows(answer):
        running.inference(answer["inference_id"])
        return running.model_inferences(answer["inference_id"])

    first = running.infer(body).json()
    assert not rows(first)[0]["cached"]

    def cached():
        answer = running.infer(body).json()
        return answer if rows(answer)[0]["cached"] else None

    for _ in range(6):
        answer = until(cached, "both workers to find it")
        assert answer["usage"]["input_tokens"] == 0 and answer["content"] == first["content"]
    *chunks, _ = stream_of(running, body)

    def replayed():
        again = stream_of(running, body)
        return again if again[-1]["usage"]["output_tokens"] == 0 else None

    again = until(replayed, "a stream of the cache")
    assert [chunk["content"] for chunk in again[:-1]] == [chunk["content"] for chunk in chunks]
    import httpx2

    purged = httpx2.delete(f"{running.url}/v1/cache?model_name=echo", timeout=30)
    assert purged.json()["purged"] >= 2
    asked = len(upstream.captured)
    until(lambda: running.infer(body).json()["usage"]["input_tokens"] > 0, "the purge to reach everyone")
    assert len(upstream.captured) > asked
    figures = running.get("/metrics").text
    assert 'calibrant_cache_hits_total{model_name="echo"}' in figures
