"""A model's routing: strategies, weights, breakers, and models that take over."""

import pytest

from calibrant.config.schema import BreakerPolicy
from calibrant.config.snapshot import restore


def model(name="m", *more, providers=("a", "b")):
    lines = [f"[models.{name}]", f"routing = {list(providers)}", *more]
    for provider in providers:
        lines.append(f'providers.{provider} = {{ type = "openai", model_name = "x", api_key_location = "none" }}')
    return "\n".join(lines) + "\n"


WEIGHTED = 'routing_strategy = "weighted"'


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        (model("m", 'routing_strategy = "fastest"'), "models.m.routing_strategy", "one of 'cheapest', 'least_latency'"),
        (model("m", "weights = { a = 1, b = 1 }"), "models.m.weights", "the strategy is 'ordered'"),
        (model("m", WEIGHTED, "weights = { a = 1 }"), "models.m.weights", "no weight for the provider 'b'"),
        (model("m", WEIGHTED, "weights = { a = 1, b = 1, c = 1 }"), "models.m.weights.c", "'c', which `routing` lacks"),
        (model("m", WEIGHTED, "weights = { a = 0, b = 0 }"), "models.m.weights", "no weight above 0"),
        (model("m", WEIGHTED, "weights = { a = -1, b = 1 }"), "models.m.weights.a", "is -1"),
        (model("m", WEIGHTED, "weights = { a = nan, b = 1 }"), "models.m.weights.a", "is nan"),
        (model("m", WEIGHTED, "weights = { a = inf, b = 1 }"), "models.m.weights.a", "is inf"),
        (model("m", "breaker = { failures = 0 }"), "models.m.breaker.failures", "is 0"),
        (model("m", "breaker = { open_s = 301 }"), "models.m.breaker.open_s", "more than `max_open_s`"),
        (model("m", "breaker = { max_open_s = 4 }"), "models.m.breaker.max_open_s", "more than `max_open_s`"),
        ("[gateway.breaker]\nopen_s = 301", "gateway.breaker.open_s", "more than `max_open_s`"),
        ("[gateway.breaker]\nopen_s = 0", "gateway.breaker.open_s", "is 0"),
        ('[gateway]\non_client_disconnect = "ignore"', "gateway.on_client_disconnect", "one of 'cancel', 'drain'"),
        (model("m", "timeouts.streaming.idle_ms = 900_001"), "models.m.timeouts.streaming.idle_ms", "900000 ms"),
        (model("m", 'fallback_models = ["n"]'), "models.m.fallback_models[0]", "'n', which is not configured"),
        (model("m", 'fallback_models = ["vllm::x"]'), "models.m.fallback_models[0]", "no shorthand"),
        (model("m", 'fallback_models = ["n", "n"]') + model("n"), "models.m.fallback_models[1]", "a second time"),
        (model("m", 'fallback_models = ["m"]'), "models.m.fallback_models[0]", "leads back to the model 'm'"),
        (
            model("m", 'fallback_models = ["n"]', 'namespace = "x"') + model("n", 'namespace = "y"'),
            "models.m.fallback_models[0]",
            "the namespace 'y'",
        ),
        (
            model("m", 'fallback_models = ["n"]') + model("n", 'namespace = "y"'),
            "models.m.fallback_models[0]",
            "the namespace 'y'",
        ),
    ],
)
def test_each_mistake_is_told_where_it_is(mistakes, text, path, problem):
    (line,) = mistakes(text)
    assert line.startswith(f"{path}: ") and problem in line


def test_a_cycle_is_told_at_each_of_its_links_and_nowhere_else(mistakes):
    text = (
        model("a", 'fallback_models = ["b"]')
        + model("b", 'fallback_models = ["c"]')
        + model("c", 'fallback_models = ["a"]')
        + model("into", 'fallback_models = ["a"]')
    )
    found = [line.split(": ")[0] for line in mistakes(text)]
    assert found == [f"models.{name}.fallback_models[0]" for name in "abc"]


def test_a_breaker_is_the_gateway_s_but_for_what_the_model_says(loads):
    general = "[gateway.breaker]\nfailures = 2\nopen_s = 1\n"
    config = loads(general + model("m", "breaker = { open_s = 9.5, enabled = false }") + model("n"))
    assert config.models["m"].breaker == BreakerPolicy(enabled=False, failures=2, open_s=9.5, max_open_s=300)
    assert config.models["n"].breaker == BreakerPolicy(failures=2, open_s=1)
    assert loads(model()).models["m"].breaker == BreakerPolicy(enabled=True, failures=5, open_s=5, max_open_s=300)


def test_a_model_is_as_it_is_written_and_survives_its_snapshot(loads):
    text = (
        "[gateway]\nglobal_outbound_http_intra_stream_read_timeout_ms = 700\non_client_disconnect = 'cancel'\n"
        + model("m", WEIGHTED, "weights = { b = 0, a = 2.5 }", 'fallback_models = ["n", "openai::x"]', 'namespace="x"')
        + model("n", 'routing_strategy = "cheapest"', "timeouts.streaming.idle_ms = 50")
    )
    config = loads(text)
    for each in (config, restore(config.canonical)):
        m = each.models["m"]
        assert (m.strategy, m.weights, m.fallbacks) == ("weighted", {"a": 2.5, "b": 0}, ("n", "openai::x"))
        assert (each.models["n"].strategy, each.models["n"].timeouts.idle_ms) == ("cheapest", 50)
        assert (each.gateway.stream_read_timeout_ms, each.gateway.on_client_disconnect) == (700, "cancel")
    assert config.warnings == ()


def test_what_is_not_written_is_static_order(loads):
    m = loads(model()).models["m"]
    assert (m.strategy, m.weights, m.fallbacks) == ("ordered", {}, ())
