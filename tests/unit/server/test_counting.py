"""Counting tokens: each way of failing is told in Anthropic's shape, with the status that says whose fault it is."""

import asyncio

import msgspec
import pytest
from tests.support.engine import Line, function, model, refusal, variant

from calibrant.base.errors import Unreachable
from calibrant.server.dispatch import Dispatcher
from calibrant.server.http import HttpRequest
from calibrant.server.inference import count_handler
from calibrant.server.routes import Route, Router
from calibrant.server.settings import ServerSettings

PATH = "/v1/messages/count_tokens"
HELLO = [{"role": "user", "content": "Hello?"}]
TOML = (
    model().replace('"openai"', '"anthropic"')
    + model("keyed", key="dynamic::mine").replace('"openai"', '"anthropic"')
    + function(variant())
)


def asked(folder, body, *steps):
    faults = []
    line = Line(folder, TOML, *steps)
    router = Router([Route("POST", PATH, count_handler(line.engine), "Counts.", "anthropic")])
    dispatcher = Dispatcher(router, ServerSettings(), lambda fault, _: faults.append(fault), lambda *_: None)
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = asyncio.run(dispatcher.answer(HttpRequest("POST", PATH, body=raw)))
    assert not faults and not line.records
    return answer.status, msgspec.json.decode(answer.body)


FAILURES = {
    "no JSON": (b"{", (), 400, "invalid_request_error", "not valid JSON"),
    "no messages": ({"model": "m"}, (), 400, "invalid_request_error", "messages"),
    "no model": ({"messages": HELLO}, (), 400, "invalid_request_error", "model"),
    "a block of no type": (
        {"model": "m", "messages": [{"role": "user", "content": [{}]}]},
        (),
        400,
        "invalid_request_error",
        "$.messages[0].content[0]",
    ),
    "an unknown model": ({"model": "nobody", "messages": HELLO}, (), 400, "invalid_request_error", "nobody"),
    "an unknown function": (
        {"model": "calibrant::function_name::g", "messages": HELLO},
        (),
        404,
        "not_found_error",
        "'g'",
    ),
    "an unknown variant": (
        {"model": "calibrant::function_name::f", "calibrant::variant_name": "w", "messages": HELLO},
        (),
        404,
        "not_found_error",
        "'w'",
    ),
    "no key": ({"model": "keyed", "messages": HELLO}, (), 400, "invalid_request_error", "mine"),
    "a provider that is away": (
        {"model": "m", "messages": HELLO},
        (Unreachable("refused the connection"),),
        500,
        "api_error",
        "p: refused the connection",
    ),
    "a provider that refuses": (
        {"model": "m", "messages": HELLO},
        (refusal(401, "bad key"),),
        500,
        "api_error",
        "bad key",
    ),
    "an answer that is no count": ({"model": "m", "messages": HELLO}, ({"x": 1},), 500, "api_error", "no count"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_each_way_of_failing_is_told_in_the_dialect(tmp_path, what):
    body, steps, status, kind, said = FAILURES[what]
    got, answer = asked(tmp_path, body, *steps)
    assert (got, answer["type"], answer["error"]["type"]) == (status, "error", kind)
    assert said in answer["error"]["message"]


def test_a_count(tmp_path):
    assert asked(tmp_path, {"model": "m", "messages": HELLO}, {"input_tokens": 7}) == (200, {"input_tokens": 7})
