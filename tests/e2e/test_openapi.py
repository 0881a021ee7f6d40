"""The gateway is as its own document says: requests made from it bring answers that it allows, and never a fault.

The fake upstream is well, so any status of 5xx would be ours.
"""

from copy import deepcopy

import httpx2
import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.e2e.conftest import CONFIG, PERSON, SCRIPTS, WEATHER, models
from tests.e2e.test_keys import command
from tests.support.faults import no_traceback
from tests.support.gateway import gateway

from calibrant.server.described import DESCRIBED
from calibrant.testing.upstream import run_upstream

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HELLO = [{"role": "user", "content": "Hello."}]
FUNCTIONS = ["chat", "extract", "broken_json"]
SAYABLE = [
    *(f"tensorzero::function_name::{name}" for name in FUNCTIONS),
    "tensorzero::model_name::plain",
    "calibrant::model_name::tools",
]


class Described:
    """A gateway, its document, and one of each thing that a request may name."""

    def __init__(self, running, key):
        self.running = running
        self.session = requests.Session()
        self.session.headers["authorization"] = f"Bearer {key}"
        self.client = httpx2.Client(base_url=running.url, headers=dict(self.session.headers), timeout=30)
        self.document = self.client.get("/openapi.json").json()
        self.names = self._names()
        self.api = schemathesis.openapi.from_dict(self._narrowed())

    def _names(self):
        """Make what there is to be named."""
        said = self.client.post("/inference", json={"function_name": "chat", "input": {"messages": HELLO}}).json()
        self.running.inference(said["inference_id"])
        begun = self.client.post("/batch_inference", json={"function_name": "chat", "inputs": [{"messages": HELLO}]})
        key = self.client.post("/v1/keys", json={}).json()
        return {
            "inference_id": [said["inference_id"]],
            "episode_id": [said["episode_id"]],
            "id": [said["inference_id"]],
            "batch_id": [begun.json()["batch_id"]],
            "public_id": [key["public_id"]],
        }

    def _narrowed(self):
        """The document with names that exist here: a made-up function would be a 404 and nothing else."""
        document = deepcopy(self.document)
        schemas = document["components"]["schemas"]

        def pin(body, field, values):
            schemas[body]["properties"][field] = {"enum": values}

        for body in ("ChatBody", "ResponsesBody", "MessagesBody"):
            pin(body, "model", SAYABLE)
        pin("InferenceBody", "function_name", [*FUNCTIONS, None])
        pin("InferenceBody", "model_name", ["plain", "tools", None])
        pin("BatchBody", "function_name", FUNCTIONS)
        pin("FeedbackBody", "metric_name", ["good", "stars", "comment", "demonstration"])
        for body in ("InferenceBody", "FeedbackBody", "ListBody"):
            pin(body, "episode_id", [*self.names["episode_id"], None])
        pin("FeedbackBody", "inference_id", [*self.names["inference_id"], None])
        for methods in document["paths"].values():
            for operation in methods.values():
                # Those of the document are for people, and name models of real vendors.
                if "requestBody" in operation:
                    del operation["requestBody"]["content"]["application/json"]["example"]
                for parameter in operation.get("parameters", ()):
                    if parameter["in"] == "path":
                        parameter["schema"] = {"enum": self.names[parameter["name"]]}
        return document

    def hold(self, name, mode, **kwargs):
        method, path = name.split(" ")
        operation = self.api[path][method]

        @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), **kwargs)
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case):
            response = case.call(base_url=self.running.url, session=self.session)
            case.validate_response(response, checks=CHECKS)

        holds()


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described")
    (folder / "person.json").write_text(PERSON)
    (folder / "weather.json").write_text(WEATHER)
    with run_upstream(models=SCRIPTS) as upstream:
        config = CONFIG.format(models=models(upstream.url, SCRIPTS))
        config = config.replace("[gateway]\n", "[gateway]\nauth.enabled = true\n")
        with gateway(folder, config) as running:
            made = Described(running, command(folder, "key", "create", "--role", "admin").splitlines()[-1])
            yield made
            made.session.close()
            made.client.close()
            no_traceback(running)


@pytest.mark.parametrize("name", DESCRIBED)
def test_answers_are_what_the_document_says(described, name):
    described.hold(name, GenerationMode.POSITIVE, max_examples=8, derandomize=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("name", DESCRIBED)
def test_answers_are_what_the_document_says_at_length(described, name, mode):
    described.hold(name, mode, max_examples=100)
