"""SimLM over HTTP: the official client gets what the world says."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import openai
import pytest

from calibrant.base.errors import ConfigError
from calibrant.demo.simlm.parameters import Change, Drift, Judge, Latency, Parameters, Rule
from calibrant.demo.simlm.server import serve_in_thread
from calibrant.demo.simlm.world import World

STEPS = "Think step by step."
WORLD = World(
    Parameters(
        rules={"steps": Rule(phrase="step by step", weight=0.7, words=20)},
        judges={"fair": Judge(tpr=0.9, tnr=0.9)},
        latency=Latency(first_ms=1, token_ms=0.1),
    )
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread(WORLD) as found:
        yield found


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=20) as found:
        yield found


def ask(client: openai.OpenAI, item: int, prompt: str = "", *, model: str = "simlm", **fields):
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": WORLD.text(item)}]
    return client.chat.completions.create(model=model, messages=messages, **fields)


def fetch(url: str, method: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_models_and_judges_are_listed(client):
    assert [model.id for model in client.models.list()] == ["simlm", "judge-fair"]


def test_outcomes_are_those_of_the_world(client):
    items = list(range(60))
    answers = [ask(client, item, STEPS, temperature=0) for item in items]
    right = [answer.choices[0].message.content.split()[-1] == WORLD.answer(i) for i, answer in enumerate(answers)]
    assert right == list(WORLD.outcomes(items, STEPS))
    words = [len(answer.choices[0].message.content.split()) for answer in answers]
    assert [answer.usage.completion_tokens for answer in answers] == words
    told = len(f"{STEPS} {WORLD.text(0)}".split())
    assert answers[0].usage.prompt_tokens == told
    assert (answers[0].model, answers[0].system_fingerprint) == ("simlm", "simlm-0")


def test_a_stream_says_the_same(client):
    whole = ask(client, 3, STEPS, temperature=0)
    chunks = list(ask(client, 3, STEPS, temperature=0, stream=True, stream_options={"include_usage": True}))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content and chunks[-1].usage == whole.usage


def test_a_seed_makes_a_draw_again(client):
    def draws(**fields):
        return [ask(client, item, temperature=1, **fields).choices[0].message.content for item in range(40)]

    assert draws(seed=5) == draws(seed=5) != draws(seed=6)
    assert draws() != draws()


def test_a_judge_is_a_model(client):
    told = f"{WORLD.text(1)}\n<output>{WORLD.answer(1)}</output>"
    answer = client.chat.completions.create(model="judge-fair", messages=[{"role": "user", "content": told}])
    outputs = WORLD.outputs([1], "", [True])
    assert answer.choices[0].message.content == ("pass" if WORLD.judge("fair", outputs)[0] else "fail")


def test_the_world_is_told(url):
    status, body = fetch(url, "GET", "/simlm")
    assert (status, body.decode()) == (200, WORLD.describe())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health", 200), ("POST", "/simlm", 405), ("GET", "/nowhere", 404), ("POST", "/v1/chat/completions", 400)],
)
def test_every_request_gets_an_answer(url, method, path, status):
    found, body = fetch(url, method, path)
    assert found == status and msgspec.json.decode(body)


def test_mistakes_are_told_in_openais_shape(client):
    with pytest.raises(openai.BadRequestError, match="no item"):
        client.chat.completions.create(model="simlm", messages=[{"role": "user", "content": "hello"}])
    with pytest.raises(openai.NotFoundError, match="the models here are simlm, judge-fair"):
        ask(client, 1, model="gpt")


def test_calls_are_the_moments_of_changes_and_drift():
    changed = World(Parameters(changes=(Change(at=3, shift=-60, shown="fingerprint"),), drift=Drift(slope=60_000)))
    with serve_in_thread(changed) as url, openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="simlm", messages=[{"role": "user", "content": "not counted"}])
        answers = [ask(client, 7, temperature=0) for _ in range(5)]
    # A moment adds 60 logits, and the change takes as much: only what came before it is sure of itself.
    right = [answer.choices[0].message.content == WORLD.answer(7) for answer in answers]
    assert right[1:3] == [True, True]
    assert right == [bool(changed.outcomes(7, "", at=at)) for at in range(5)]
    assert [answer.system_fingerprint for answer in answers] == ["simlm-0"] * 3 + ["simlm-1"] * 2


def test_seconds_may_be_the_moments():
    late = World(Parameters(moment="seconds", changes=(Change(at=0, shown="model"), Change(at=1e9, shown="model"))))
    with serve_in_thread(late) as url, openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        assert ask(client, 1).model == "simlm-2"


def test_a_port_that_is_taken_stops_the_start(url):
    with pytest.raises(ConfigError, match="cannot listen on 127.0.0.1"), serve_in_thread(WORLD, urlsplit(url).port):
        pass
