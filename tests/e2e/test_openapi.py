"""The gateway is as its own document says: requests made from it bring answers that it allows, and never a fault.

The fake upstream is well, so any status of 5xx would be ours.
"""

import os
import subprocess
import sys
from contextlib import contextmanager
from copy import deepcopy

import httpx2
import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from tests.e2e.conftest import CONFIG, PERSON, SCRIPTS, WEATHER, models
from tests.e2e.test_embeddings import upstream as answer_embeddings
from tests.e2e.test_keys import command
from tests.support.canned import canned
from tests.support.faults import no_traceback
from tests.support.gateway import gateway, until
from tests.support.postgres import fresh_database

from calibrant.server.described import DESCRIBED
from calibrant.testing.upstream import run_upstream

reason = "schemathesis is not installed (group judges of pyproject.toml)"
schemathesis = pytest.importorskip("schemathesis", reason=reason)
requests = pytest.importorskip("requests", reason=reason)
checks = pytest.importorskip("schemathesis.specs.openapi.checks", reason=reason)


@schemathesis.serializer("application/jsonl")
def lines(ctx, value):
    return {"data": value.encode() if isinstance(value, str) else msgspec.json.encode(value)}


CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
NAMES = sorted(DESCRIBED, key=lambda name: name.startswith("DELETE"))
"""What is deleted cannot be asked for any more."""
HELLO = [{"role": "user", "content": "Hello."}]
FUNCTIONS = ["chat", "extract", "broken_json"]
UNSAID = ["tensorzero::internal_dynamic_variant_config", "tensorzero::deny_unknown_fields"]
COLUMNS = [
    "episode_ids",
    "tags",
    "allowed_tools",
    "additional_tools",
    "tool_choice",
    "parallel_tool_calls",
    "output_schemas",
]
VECTORS = """
[embedding_models.vectors]
routing = ["p"]
[embedding_models.vectors.providers.p]
type = "openai"
model_name = "text-embedding-3-small"
api_base = "{base}/v1"
api_key_location = "none"
"""
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
        self._stored(said["inference_id"])
        begun = self.client.post("/batch_inference", json={"function_name": "chat", "inputs": [{"messages": HELLO}]})
        key = self.client.post("/v1/keys", json={}).json()
        point = {"type": "chat", "function_name": "chat", "input": {"messages": HELLO}, "output": "Hello."}
        points = self.client.post("/v1/datasets/greetings/datapoints", json={"datapoints": [point]}).json()
        pins = {"variants": {"chat": "a"}, "project_name": "greetings"}
        run = self.client.post("/workflow_evaluation_run", json=pins).json()["run_id"]
        self.client.post(f"/workflow_evaluation_run/{run}/episode", json={"task_name": "first"})
        return {
            "run_id": [run],
            "run_ids": [run],
            "target_id": [said["inference_id"], said["episode_id"]],
            "function_name": FUNCTIONS,
            "variant_name": ["a", "b"],
            "metric_name": ["good", "stars"],
            "before": [said["inference_id"]],
            "after": [said["inference_id"]],
            "hash": [self.client.get("/status").json()["config_hash"]],
            "inference_id": [said["inference_id"]],
            "episode_id": [said["episode_id"]],
            "id": [said["inference_id"]],
            "batch_id": [begun.json()["batch_id"]],
            "public_id": [key["public_id"]],
            "dataset_name": ["greetings", "others"],
            "datapoint_id": points["ids"],
        }

    def _stored(self, inference_id):
        """Wait until an inference is in the record, whichever home that has."""
        asked = {"ids": [inference_id]}
        until(
            lambda: self.client.post("/v1/inferences/get_inferences", json=asked).json()["inferences"],
            f"inference {inference_id} to be stored",
        )

    def _narrowed(self):
        """The document with names that exist here, and without what excludes something else: most bodies made at
        random would be a 400 or a 404, and nothing behind that would be reached."""
        document = deepcopy(self.document)
        schemas = document["components"]["schemas"]

        def pin(body, **fields):
            for name, values in fields.items():
                assert name in schemas[body]["properties"]
                schemas[body]["properties"][name] = {"enum": values}
                schemas[body]["required"] = [*{*schemas[body].get("required", ()), name}]

        def often(body, **fields):
            for name, value in fields.items():
                known = schemas[body]["properties"][name]
                schemas[body]["properties"][name] = {"anyOf": [{"enum": [value]}, known]}

        inference, episode = self.names["inference_id"], [*self.names["episode_id"], None]
        for body in ("ChatBody", "ResponsesBody", "MessagesBody"):
            pin(body, model=SAYABLE, stream=[True, False], **dict.fromkeys(UNSAID, [None]))
            for name in ("episode_id", "variant_name", "params", *UNSAID):
                schemas[body]["properties"].pop(f"calibrant::{name.removeprefix('tensorzero::')}", None)
        pin("InferenceBody", function_name=FUNCTIONS, model_name=[None], variant_name=[None], episode_id=episode)
        pin("InferenceBody", stream=[True, False])
        pin(
            "InferenceBody", internal=[None], internal_dynamic_variant_config=[None], include_aggregated_response=[None]
        )
        pin("BatchBody", function_name=FUNCTIONS, variant_name=[None], params=[None], credentials=[None])
        pin("BatchBody", inputs=[[{"messages": HELLO}]], **dict.fromkeys(COLUMNS, [None]))
        pin("FeedbackBody", metric_name=["good", "comment"], inference_id=inference, episode_id=[None], internal=[None])
        pin("FeedbackBody", value=[True, False, "Good."])
        pin("ListBody", filter=[None], episode_id=episode, offset=[0, 1, None], before=[None], after=[None])
        schemas["GetBody"]["properties"]["ids"]["items"] = {"enum": inference}
        self._narrow_datasets(schemas, pin)
        pin("EmbeddingsBody", model=["tensorzero::embedding_model_name::vectors"], dimensions=[None])
        pin("ResponsesBody", background=[False, None], conversation=[None], previous_response_id=[None])
        schemas["ResponsesBody"]["required"].append("input")
        schemas["MessagesBody"]["properties"]["messages"]["minItems"] = 1
        often("InferenceBody", input={"messages": HELLO}, additional_tools=None, allowed_tools=None, output_schema=None)
        often("ChatBody", messages=HELLO, tools=None, tool_choice=None, n=None)
        schemas["ResponsesBody"]["properties"]["input"]["anyOf"].pop()
        often("ResponsesBody", input=HELLO, tools=None, tool_choice=None)
        often("MessagesBody", messages=HELLO, tools=None, tool_choice=None, system=None, thinking=None)
        for block in ("UnknownBlock", "UnknownExtra", "Foreign"):
            # It goes to the provider as it is, and what the provider refuses is a 502: no fault of ours.
            pin(block, data=[{"type": "text", "text": "x"}])
        pin("ExtraBodyEntry", pointer=["/user"], value=["x"], delete=[None])
        pin("ExtraHeaderEntry", name=["x-extra"])
        for methods in document["paths"].values():
            for operation in methods.values():
                # Those of the document are for people, and name models of real vendors.
                if "requestBody" in operation:
                    for media in operation["requestBody"]["content"].values():
                        del media["example"]
                for parameter in operation.get("parameters", ()):
                    # Elsewhere these are numbers, or names of other things.
                    id_ = parameter.get("schema", {}).get("format") == "uuid"
                    told = parameter["in"] == "path" or parameter["required"] or id_
                    if told and parameter["name"] in self.names:
                        parameter["schema"] = {"enum": self.names[parameter["name"]]}
        return document

    def _narrow_datasets(self, schemas, pin):
        points = self.names["datapoint_id"]
        for body in ("CreateChat", "CreateJson"):
            pin(body, input=[{"messages": HELLO}], episode_id=[*self.names["episode_id"], None])
        pin("CreateChat", function_name=["chat"])
        pin("CreateJson", function_name=["extract"], output_schema=[None])
        for body in ("EditChat", "EditJson", "Renamed"):
            pin(body, id=points)
        pin("EditChat", input=[{"messages": HELLO}, None])
        for body, field in (("IdsBody", "ids"), ("CloneBody", "datapoint_ids")):
            schemas[body]["properties"][field]["items"] = {"enum": points}
        schemas["FromIds"]["properties"]["inference_ids"]["items"] = {"enum": self.names["inference_id"]}
        pin("DatapointsListBody", after=[None], function_name=["chat", "extract", None])

    def hold(self, name, mode, **kwargs):
        method, path = name.split(" ")
        operation = self.api[path][method]
        answered = self.document["paths"][path][method.lower()]["responses"]["200"]["content"]
        event = self.validator(answered.get("text/event-stream", {}).get("schema", {}))

        @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), **kwargs)
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case):
            # Its own `call` leaves the connection of a stream open.
            response = self.session.request(**case.as_transport_kwargs(base_url=self.running.url), timeout=30)
            # 501 names a field of a feature that this version does not have; the document says so.
            case.validate_response(response, checks=CHECKS[response.status_code == 501 :])
            if response.headers["content-type"] == "text/event-stream":
                check_events(response.content, event)

        holds()

    def validator(self, event):
        """Of what the data of an event holds. Validators do not look into text, whatever a schema says of it."""
        if not event:
            return None
        held = event["properties"]["data"]["anyOf"][1]["contentSchema"]
        return self.valid(held)

    def valid(self, schema):
        return jsonschema_rs.Draft202012Validator({**schema, "components": self.document["components"]})


def check_events(content, validator):
    events = [event.split(b"\n") for event in content.split(b"\n\n") if event]
    assert events
    for lines in events:
        (data,) = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
        if data != b"[DONE]":
            validator.validate(msgspec.json.decode(data))


@contextmanager
def serving(folder, environment):
    """What is described, served by a gateway whose record and catalogue are where the environment says."""
    (folder / "person.json").write_text(PERSON)
    (folder / "weather.json").write_text(WEATHER)
    with run_upstream(models=SCRIPTS) as upstream, canned(answer_embeddings) as vectors:
        config = CONFIG.format(models=models(upstream.url, SCRIPTS)) + VECTORS.format(base=vectors.base)
        config = config.replace("[gateway]\n", "[gateway]\nauth.enabled = true\n")
        key = command(folder, "key", "create", "--role", "admin", env=environment).splitlines()[-1]
        with gateway(folder, config, env=environment) as running:
            made = Described(running, key)
            yield made
            made.session.close()
            made.client.close()
            no_traceback(running)


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("described"), {}) as made:
        yield made


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory):
    folder = tmp_path_factory.mktemp("on_postgres")
    with fresh_database() as address:
        environment = {"CALIBRANT_POSTGRES_URL": address}
        migrate = [sys.executable, "-m", "calibrant", "migrate"]
        subprocess.run(migrate, env={**os.environ, **environment}, check=True, capture_output=True, timeout=60)
        with serving(folder, environment) as made:
            yield made


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_what_the_document_says(described, name):
    described.hold(name, schemathesis.GenerationMode.POSITIVE, max_examples=8, derandomize=True)


BODIES = {
    "/inference": lambda name: {"function_name": name, "input": {"messages": HELLO}, **RAW},
    "/v1/chat/completions": lambda name: chosen(name) | {"messages": HELLO},
    "/v1/responses": lambda name: chosen(name) | {"input": HELLO},
    "/v1/messages": lambda name: chosen(name) | {"messages": HELLO},
}
RAW = {"include_raw_usage": True, "include_raw_response": True}


def chosen(name):
    return {"model": f"tensorzero::function_name::{name}", **{f"tensorzero::{field}": on for field, on in RAW.items()}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("path", BODIES)
def test_inferences_of_every_kind_are_what_the_document_says(described, path, name, stream):
    answer = described.client.post(path, json=BODIES[path](name) | {"stream": stream})
    assert answer.status_code == 200, answer.text
    content = described.document["paths"][path]["post"]["responses"]["200"]["content"]
    if stream:
        check_events(answer.content, described.validator(content["text/event-stream"]["schema"]))
    else:
        described.valid(content["application/json"]["schema"]).validate(answer.json())
        assert "raw_usage" in answer.text


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_answers_are_what_the_document_says_at_length(described, name):
    described.hold(name, schemathesis.GenerationMode.POSITIVE, max_examples=80)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name, said in DESCRIBED.items() if said.body or said.parameters])
def test_what_breaks_the_document_is_no_fault_either(described, name):
    described.hold(name, schemathesis.GenerationMode.NEGATIVE, max_examples=50)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_answers_out_of_postgresql_are_what_the_document_says(on_postgres, name):
    on_postgres.hold(name, schemathesis.GenerationMode.POSITIVE, max_examples=25)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name, said in DESCRIBED.items() if said.body or said.parameters])
def test_what_breaks_the_document_is_no_fault_of_postgresql_either(on_postgres, name):
    on_postgres.hold(name, schemathesis.GenerationMode.NEGATIVE, max_examples=25)
