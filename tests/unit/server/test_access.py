"""For every route and every role, what is allowed: by our own dispatcher and as ASGI, below a base path or not."""

import asyncio
import re
from unittest.mock import MagicMock

import msgspec
import pytest
from tests.unit.server.test_asgi import Call

from calibrant.base.clock import SystemClock
from calibrant.engine.keys import create_key, set_disabled
from calibrant.server.api import routes
from calibrant.server.asgi import asgi_app
from calibrant.server.dispatch import Dispatcher
from calibrant.server.gate import Gate
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.keyring import Keyring
from calibrant.server.routes import Router
from calibrant.server.settings import ServerSettings
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.telemetry.metrics import Metrics
from calibrant.types.key import ROLES, NewKey

ANYBODY = "anybody"
READ = {"read", "optimizer", "confirmer"}
TABLE = {
    "POST /inference": {"inference"},
    "POST /batch_inference": {"inference"},
    "GET /batch_inference": {"inference"},
    "GET /batch_inference/{batch_id}": {"inference"},
    "GET /batch_inference/{batch_id}/inference/{inference_id}": {"inference"},
    "POST /batch_inference/{batch_id}/cancel": {"inference"},
    "POST /openai/v1/chat/completions": {"inference"},
    "POST /v1/chat/completions": {"inference"},
    "POST /openai/v1/responses": {"inference"},
    "POST /v1/responses": {"inference"},
    "GET /openai/v1/responses/{id}": {"inference"} | READ,
    "GET /v1/responses/{id}": {"inference"} | READ,
    "POST /openai/v1/embeddings": {"inference"},
    "POST /v1/embeddings": {"inference"},
    "GET /openai/v1/models": {"inference"} | READ,
    "GET /v1/models": {"inference"} | READ,
    "POST /v1/messages": {"inference"},
    "POST /v1/messages/count_tokens": {"inference"},
    "POST /feedback": {"feedback"},
    "POST /v1/inferences/list_inferences": READ,
    "POST /v1/inferences/get_inferences": READ,
    "GET /v1/inferences/export": READ,
    "POST /v1/inferences/render": READ,
    "POST /v1/replay": {"inference"},
    "POST /workflow_evaluation_run": {"inference"},
    "POST /workflow_evaluation_run/{run_id}/episode": {"inference"},
    "GET /internal/workflow_evaluations/projects": READ,
    "GET /internal/workflow_evaluations/projects/count": READ,
    "GET /internal/workflow_evaluations/list_runs": READ,
    "GET /internal/workflow_evaluations/get_runs": READ,
    "GET /internal/workflow_evaluations/runs/count": READ,
    "GET /internal/workflow_evaluations/runs/search": READ,
    "GET /internal/workflow_evaluations/episodes_by_task_name": READ,
    "GET /internal/workflow_evaluations/episodes_by_task_name/count": READ,
    "GET /internal/workflow_evaluations/run_episodes": READ,
    "GET /internal/workflow_evaluations/run_episodes/count": READ,
    "GET /internal/functions/inference_counts": READ,
    "GET /internal/functions/{function_name}/inference_count": READ,
    "GET /internal/functions/{function_name}/inference_count/{metric_name}": READ,
    "GET /internal/functions/{function_name}/metrics": READ,
    "GET /internal/functions/{function_name}/variant_performances": READ,
    "GET /internal/functions/{function_name}/throughput_by_variant": READ,
    "GET /internal/functions/{function_name}/variant_sampling_probabilities": READ,
    "GET /internal/functions/{function_name}/variant_usage": READ,
    "GET /internal/feedback/timeseries": READ,
    "GET /internal/models/count": READ,
    "GET /internal/models/usage": READ,
    "GET /internal/models/latency": READ,
    "GET /internal/models/cache_statistics": READ,
    "GET /internal/feedback/{target_id}": READ,
    "GET /internal/feedback/{target_id}/bounds": READ,
    "GET /internal/feedback/{target_id}/latest_id_by_metric": READ,
    "GET /internal/feedback/{target_id}/count": READ,
    "GET /internal/feedback/{target_id}/demonstrations": READ,
    "GET /internal/model_inferences/{inference_id}": READ,
    "GET /internal/inference_metadata": READ,
    "GET /internal/resolve_uuid/{id}": READ,
    "GET /internal/episodes": READ,
    "GET /internal/episodes/bounds": READ,
    "GET /internal/episodes/{episode_id}/inference_count": READ,
    "GET /internal/config": READ,
    "GET /internal/config/{hash}": READ,
    "GET /internal/workflow_evaluations/run_statistics": READ,
    "POST /internal/inferences/count": READ,
    "POST /internal/episodes": READ,
    "GET /status": ANYBODY,
    "GET /health": ANYBODY,
    "GET /openapi.json": ANYBODY,
    "GET /docs": ANYBODY,
    "GET /metrics": READ,
    "GET /internal/accounting": READ,
    "GET /internal/object_storage": READ,
    "GET /v1/keys": set(),
    "POST /v1/keys": set(),
    "PATCH /v1/keys/{public_id}": set(),
    "POST /v1/keys/{public_id}/disable": set(),
    "POST /v1/keys/{public_id}/enable": set(),
    "GET /v1/audit": set(),
    "POST /v1/erasures": set(),
    "DELETE /v1/cache": set(),
    "POST /v1/confirmations": {"confirmer"},
    "GET /v1/confirmations": READ,
    "GET /v1/confirmations/{confirmation_id}": READ,
    "GET /v1/datasets/{dataset_name}/holdout": READ,
    "POST /v1/datasets/{dataset_name}/reveal": set(),
    "POST /v1/datasets": {"optimizer"},
    "GET /v1/datasets/{dataset_name}": READ,
    "DELETE /v1/datasets/{dataset_name}": {"optimizer"},
    "GET /v1/datasets/{dataset_name}/versions": READ,
    "POST /v1/datasets/{dataset_name}/datapoints": {"optimizer"},
    "PATCH /v1/datasets/{dataset_name}/datapoints": {"optimizer"},
    "DELETE /v1/datasets/{dataset_name}/datapoints": {"optimizer"},
    "PATCH /v1/datasets/{dataset_name}/datapoints/metadata": {"optimizer"},
    "POST /v1/datasets/{dataset_name}/from_inferences": {"optimizer"},
    "POST /v1/datasets/{dataset_name}/list_datapoints": READ,
    "POST /v1/datasets/{dataset_name}/get_datapoints": READ,
    "POST /v1/datasets/get_datapoints": READ,
    "GET /v1/datasets/{dataset_name}/export": READ,
    "POST /v1/datasets/{dataset_name}/import": {"optimizer"},
    "GET /internal/datasets": READ,
    "GET /internal/datasets/{dataset_name}/datapoints/count": READ,
    "POST /internal/datasets/{dataset_name}/datapoints/clone": {"optimizer"},
}
"""Who may, beside `admin`. A route that is not here fails the test: say here who may use it."""
BAD = {
    "missing": (None, "Authorization header is required"),
    "scheme": ("Basic dTpw", "Authorization header must start with 'Bearer '"),
    "malformed": ("Bearer sk-t0-short", "Invalid API key"),
    "empty": ("Bearer ", "Invalid API key"),
    "unknown": (f"Bearer sk-t0-{'x' * 12}-{'y' * 48}", "Provided API key does not exist in the database"),
    "disabled": ("disabled", "API key was disabled at: 20"),
    "expired": ("expired", "API key expired at: 20"),
    "another's secret": ("mixed", "Provided API key does not exist in the database"),
}


def bare_routes():
    engine = MagicMock()
    engine.compiler.function_names.return_value = engine.compiler.model_names.return_value = []
    return routes(engine, MagicMock())


def marked(route):
    """The route with a handler that only says that it was reached, and by whom."""

    async def reached(http):
        who = None if http.principal is None else http.principal.public_id
        return Answer(200, msgspec.json.encode({"reached": f"{route.method} {route.path}", "who": who}))

    return msgspec.structs.replace(route, handler=reached)


class House:
    """Every route behind a gate, and a key of each kind."""

    def __init__(self, folder, base_path=""):
        self.catalogue = SqliteCatalogue(folder / "catalogue.db")
        now = SystemClock().wall_ms()
        self.keys = {role: self._key(now, roles=[role]) for role in ROLES}
        self.keys["default"] = self._key(now)
        self.keys["disabled"] = self._key(now, roles=["admin"])
        set_disabled(self.catalogue, self.keys["disabled"][6:18], disabled=True, actor="test", now_ms=now)
        self.keys["expired"] = self._key(now - 10_000, roles=["admin"], expires_at=now - 5_000)
        self.keys["mixed"] = self.keys["admin"][:19] + self.keys["read"][19:]
        self.routes = [marked(route) for route in bare_routes()]
        self.base_path = base_path
        self.metrics = Metrics()

    def _key(self, now, **fields):
        return create_key(self.catalogue, NewKey(**fields), actor="test", now_ms=now)[0]

    def ask(self, calls, edge):
        """The answers to (method, path, authorization)."""

        async def main():
            clock = SystemClock()
            keyring = Keyring(self.catalogue, ttl_s=60, monotonic=clock.monotonic)
            gate = Gate(keyring, clock, self.metrics)
            rest = (Router(self.routes, self.base_path), ServerSettings(), lambda *_: None, lambda *_: None, gate)
            got = [await edge(rest, *call) for call in calls]
            keyring.close()
            return got

        return asyncio.run(main())


async def ours(rest, method, path, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    answer = await Dispatcher(*rest).answer(HttpRequest(method, path, headers=headers))
    return answer.status, answer.body, dict(answer.headers)


async def as_asgi(rest, method, path, authorization):
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    call = Call(method, path, b"", headers=headers)
    await asgi_app(*rest)(call.scope, call.receive, call.send)
    return call.status, call.body, call.headers


@pytest.fixture(params=["", "/llm/gateway"], ids=["root", "base_path"])
def house(tmp_path, request):
    made = House(tmp_path, request.param)
    yield made
    made.catalogue.close()


@pytest.fixture(params=[ours, as_asgi])
def edge(request):
    return request.param


def test_the_table_is_the_routes():
    assert {f"{route.method} {route.path}" for route in bare_routes()} == set(TABLE)


def test_every_route_and_role(house, edge):
    cases, expected = [], []
    for route in house.routes:
        allowed = TABLE[f"{route.method} {route.path}"]
        path = house.base_path + re.sub(r"\{\w+\}", "abc", route.path)
        for role in (*ROLES, "default"):
            mine = {"inference", "feedback", "read"} if role == "default" else {role}
            fine = allowed == ANYBODY or role == "admin" or bool(mine & set(allowed))
            cases.append((route.method, path, f"Bearer {house.keys[role]}"))
            expected.append((f"{route.method} {route.path}", role, 200 if fine else 403))
    answers = house.ask(cases, edge)
    assert [(name, role, got[0]) for (name, role, _), got in zip(expected, answers, strict=True)] == expected
    for (name, role, status), (_, body, _) in zip(expected, answers, strict=True):
        told = msgspec.json.decode(body)
        if status == 200:
            who = None if TABLE[name] == ANYBODY else house.keys[role][6:18]
            assert told == {"reached": name, "who": who}
        else:
            message = told["error"] if isinstance(told["error"], str) else told["error"]["message"]
            assert message.startswith("this API key has the role ") and name in message


@pytest.mark.parametrize("why", BAD)
def test_every_route_refuses_who_has_no_good_key(house, edge, why):
    shown, reason = BAD[why]
    shown = f"Bearer {house.keys[shown]}" if shown in house.keys else shown
    paths = [(r, house.base_path + re.sub(r"\{\w+\}", "abc", r.path)) for r in house.routes]
    answers = house.ask([(route.method, path, shown) for route, path in paths], edge)
    refused = 0
    for (route, _), (status, body, headers) in zip(paths, answers, strict=True):
        told = msgspec.json.decode(body)
        if TABLE[f"{route.method} {route.path}"] == ANYBODY:
            assert status == 200 and told["who"] is None
            continue
        refused += 1
        assert status == 401 and headers["www-authenticate"] == "Bearer", route
        message = told["error"]["message"] if route.errors != "native" else told["error"]
        assert message.startswith(f"TensorZero authentication error: {reason}")
        assert not any(key in message for key in house.keys.values())
    counted = dict(house.metrics.figures().counters["auth_refused"])
    assert sum(counted.values()) == refused == sum(who != ANYBODY for who in TABLE.values())


def test_head_and_options_pass_the_same_gate(house, edge):
    base = house.base_path
    cases = {
        ("HEAD", "/metrics", None): 401,
        ("HEAD", "/metrics", "read"): 200,
        ("HEAD", "/metrics", "feedback"): 403,
        ("HEAD", "/status", None): 200,
        ("OPTIONS", "/status", None): 204,
        ("OPTIONS", "/v1/keys", None): 401,
        ("OPTIONS", "/v1/keys", "read"): 403,
        ("OPTIONS", "/v1/keys", "admin"): 204,
        ("OPTIONS", "/feedback", "feedback"): 204,
    }
    asked = [(m, base + path, key and f"Bearer {house.keys[key]}") for m, path, key in cases]
    assert [answer[0] for answer in house.ask(asked, edge)] == list(cases.values())
    assert house.ask([("OPTIONS", "*", None)], ours)[0][0] == 401


def test_with_a_base_path_the_bare_paths_are_no_way_in(tmp_path):
    house = House(tmp_path, "/llm")
    assert [a[0] for a in house.ask([("GET", "/status", None), ("GET", "/llm/status", None)], ours)] == [404, 200]
    house.catalogue.close()
