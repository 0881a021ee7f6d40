"""What every method sends: method, path, body, headers; the same by both clients."""

from datetime import UTC, datetime
from uuid import UUID

import httpx2
import msgspec
import pytest

from calibrant.client import (
    AndDatapointFilter,
    CreateDatapointRequestChat,
    CreateDatapointRequestJson,
    CreateDatapointsFromInferenceRequestParamsInferenceIds,
    CreateDatapointsFromInferenceRequestParamsInferenceQuery,
    InferenceFilterAnd,
    InferenceFilterBooleanMetric,
    InferenceFilterDemonstrationFeedback,
    InferenceFilterFloatMetric,
    InferenceFilterNot,
    InferenceFilterOr,
    InferenceFilterTag,
    InferenceFilterTime,
    JsonDatapointOutputUpdate,
    ListDatapointsRequest,
    ListInferencesRequest,
    NotDatapointFilter,
    OrderByMetric,
    OrderBySearchRelevance,
    OrderByTimestamp,
    StoredInput,
    StoredInputMessage,
    TagDatapointFilter,
    Text,
    TimeDatapointFilter,
    ToolCall,
    UpdateChatDatapointRequest,
    UpdateDatapointMetadataRequest,
    UpdateJsonDatapointRequest,
)

INPUT = {"messages": [{"role": "user", "content": "Hi"}]}
ID = "01a22375-872b-7002-a2b2-02fb8c11de7f"
MOMENT = datetime(2026, 11, 28, 12, tzinfo=UTC)
USAGE = {"input_tokens": 1, "output_tokens": 2}
CHAT = {"inference_id": ID, "episode_id": ID, "variant_name": "v", "content": [], "usage": USAGE}
SUMMARY = {
    "batch_id": ID,
    "status": "pending",
    "kind": "gateway",
    "function_name": "f",
    "variant_name": "v",
    "model_name": "m",
    "total": 1,
    "completed": 0,
    "failed": 0,
    "cancelled": 0,
    "error": None,
    "created_at": "2026-11-28T12:00:00Z",
    "updated_at": "2026-11-28T12:00:00Z",
}
IDS = {"ids": [ID]}

DATASET = {
    "name": "d",
    "version": 1,
    "datapoint_count": 0,
    "group_by": "episode",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}
CONFIRMATION = {
    "id": ID,
    "status": "passed",
    "at": 1,
    "dataset_name": "d",
    "function_name": "f",
    "incumbent": "a",
    "candidate": "b",
    "evaluator": "exact_match",
    "items": 3,
    "clusters": 3,
    "alpha": 0.03,
    "period": "2026Q4",
    "number": 1,
    "claimed_gain": 0.5,
    "interval": [0.1, 0.9],
}
ASKED = {
    "dataset_name": "d",
    "function_name": "f",
    "incumbent": "a",
    "candidate": "b",
    "evaluator": "exact_match",
    "claimed_gain": 0.5,
    "margin": 0.0,
}
HOLDOUT = {
    "dataset_name": "d",
    "shares": {"train": 60, "val": 20, "sealed": 20, "canary": 0, "another": 0},
    "newest_days": None,
    "sealed_at": 1,
    "splits": [{"split": "sealed", "groups": 1, "datapoints": 2}],
    "budgets": [],
    "ledger_entries": 1,
    "broken_at": None,
}
KEY = {
    "public_id": "w8F4cAXnsJcb",
    "description": "",
    "organization": "default",
    "workspace": "default",
    "roles": ["read"],
    "models": None,
    "functions": None,
    "expires_at": None,
    "disabled_at": None,
    "created_at": "2026-11-28T12:00:00Z",
    "updated_at": "2026-11-28T12:00:00Z",
}
CASES = {
    "inference": (
        "inference",
        {"function_name": "f", "input": INPUT, "episode_id": UUID(ID), "variant_name": None, "tags": {"a": "b"}},
        ("POST", "/inference", {"function_name": "f", "input": INPUT, "episode_id": ID, "tags": {"a": "b"}}),
        CHAT,
    ),
    "inference of what is stored": (
        "inference",
        {
            "model_name": "m",
            "dryrun": False,
            "input": StoredInput(
                (
                    StoredInputMessage("user", (Text("Hi"),)),
                    StoredInputMessage("assistant", (ToolCall("1", "t", "{}", "t", {}),)),
                ),
                "Be brief.",
            ),
        },
        (
            "POST",
            "/inference",
            {
                "model_name": "m",
                "dryrun": False,
                "input": {
                    "messages": [
                        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                        {
                            "role": "assistant",
                            "content": [
                                {
                                    "type": "tool_call",
                                    "id": "1",
                                    "raw_name": "t",
                                    "raw_arguments": "{}",
                                    "name": "t",
                                    "arguments": {},
                                }
                            ],
                        },
                    ],
                    "system": "Be brief.",
                },
            },
        ),
        CHAT,
    ),
    "feedback": (
        "feedback",
        {"metric_name": "m", "value": False, "inference_id": ID, "tags": {}},
        ("POST", "/feedback", {"metric_name": "m", "value": False, "inference_id": ID, "tags": {}}),
        {"feedback_id": ID},
    ),
    "embeddings": (
        "embeddings",
        {"model_name": "openai::e", "input": ["a"], "dimensions": 2, "namespace": "n", "include_raw_response": True},
        (
            "POST",
            "/openai/v1/embeddings",
            {
                "model": "tensorzero::embedding_model_name::openai::e",
                "input": ["a"],
                "dimensions": 2,
                "tensorzero::namespace": "n",
                "tensorzero::include_raw_response": True,
            },
        ),
        {"data": [], "model": "m"},
    ),
    "status": ("status", {}, ("GET", "/status", None), {"status": "ok", "version": "1", "config_hash": "h"}),
    "health": ("health", {}, ("GET", "/health", None), {"gateway": "ok", "database": "ok", "spool": "ok"}),
    "list_models": (
        "list_models",
        {},
        ("GET", "/openai/v1/models", None),
        {"object": "list", "data": [{"id": "m", "created": 1, "object": "model", "owned_by": "calibrant"}]},
    ),
    "purge_cache": ("purge_cache", {}, ("DELETE", "/v1/cache", None), {"purged": 3}),
    "purge_cache of one model": (
        "purge_cache",
        {"model_name": "a&b"},
        ("DELETE", "/v1/cache?model_name=a%26b", None),
        {"purged": 0},
    ),
    "list_feedback": (
        "list_feedback",
        {"target_id": UUID(ID), "before": UUID(ID), "limit": 5},
        ("GET", f"/internal/feedback/{ID}?before={ID}&limit=5", None),
        {
            "feedback": [
                {
                    "type": "boolean",
                    "id": ID,
                    "target_id": ID,
                    "metric_name": "good",
                    "value": True,
                    "tags": {},
                    "timestamp": "2026-11-28T12:00:00Z",
                }
            ]
        },
    ),
    "confirm": ("confirm", ASKED, ("POST", "/v1/confirmations", ASKED), CONFIRMATION),
    "confirm, all said": (
        "confirm",
        {**ASKED, "spread": 0.4, "alpha": 0.01, "items": 9, "concurrency": 2, "timeout": 60},
        ("POST", "/v1/confirmations", {**ASKED, "spread": 0.4, "alpha": 0.01, "items": 9, "concurrency": 2}),
        CONFIRMATION,
    ),
    "list_confirmations": (
        "list_confirmations",
        {},
        ("GET", "/v1/confirmations", None),
        {"confirmations": [CONFIRMATION, {**CONFIRMATION, "status": "running", "interval": None}]},
    ),
    "get_confirmation": (
        "get_confirmation",
        {"confirmation_id": UUID(ID)},
        ("GET", f"/v1/confirmations/{ID}", None),
        CONFIRMATION,
    ),
    "get_holdout": ("get_holdout", {"dataset_name": "a/b"}, ("GET", "/v1/datasets/a%2Fb/holdout", None), HOLDOUT),
    "reveal_datapoints": (
        "reveal_datapoints",
        {"dataset_name": "d", "ids": (UUID(ID),)},
        ("POST", "/v1/datasets/d/reveal", IDS),
        {"datapoints": []},
    ),
    "list_keys": (
        "list_keys",
        {"after": "w8F4cAXnsJcb", "limit": 1},
        ("GET", "/v1/keys?after=w8F4cAXnsJcb&limit=1", None),
        {"keys": [KEY], "next": None},
    ),
    "create_key": (
        "create_key",
        {"description": "chat", "roles": ("inference",), "models": [], "expires_at": MOMENT},
        (
            "POST",
            "/v1/keys",
            {"description": "chat", "roles": ["inference"], "models": [], "expires_at": "2026-11-28T12:00:00Z"},
        ),
        {**KEY, "key": "sk-t0-x"},
    ),
    "change_key": (
        "change_key",
        {"public_id": "w8F4cAXnsJcb", "roles": ["read"], "models": None, "functions": ("f",)},
        ("PATCH", "/v1/keys/w8F4cAXnsJcb", {"roles": ["read"], "models": None, "functions": ["f"]}),
        KEY,
    ),
    "disable_key": ("disable_key", {"public_id": "a/b"}, ("POST", "/v1/keys/a%2Fb/disable", None), KEY),
    "enable_key": ("enable_key", {"public_id": "a/b"}, ("POST", "/v1/keys/a%2Fb/enable", None), KEY),
    "list_audit": (
        "list_audit",
        {"before": 7},
        ("GET", "/v1/audit?before=7", None),
        {
            "entries": [
                {
                    "id": 6,
                    "at": "2026-11-28T12:00:00Z",
                    "actor": "cli",
                    "action": "key.create",
                    "subject": "w8F4cAXnsJcb",
                    "detail": {},
                }
            ],
            "next": None,
        },
    ),
    "batch": (
        "batch_inference",
        {"function_name": "f", "inputs": [INPUT], "episode_ids": [None], "parallel_tool_calls": [True]},
        (
            "POST",
            "/batch_inference",
            {"function_name": "f", "inputs": [INPUT], "episode_ids": [None], "parallel_tool_calls": [True]},
        ),
        {"batch_id": ID, "inference_ids": [ID], "episode_ids": [ID]},
    ),
    "batch, one": (
        "get_batch_inference",
        {"batch_id": UUID(ID), "inference_id": ID},
        ("GET", f"/batch_inference/{ID}/inference/{ID}", None),
        {"status": "pending"},
    ),
    "batches": (
        "list_batch_inferences",
        {"limit": 5, "before": ID},
        ("GET", f"/batch_inference?limit=5&before={ID}", None),
        {"batches": [SUMMARY], "next": None},
    ),
    "batch, cancelled": (
        "cancel_batch_inference",
        {"batch_id": ID},
        ("POST", f"/batch_inference/{ID}/cancel", None),
        SUMMARY,
    ),
    "get_inferences": (
        "get_inferences",
        {"ids": (UUID(ID),), "function_name": "f"},
        (
            "POST",
            "/v1/inferences/get_inferences",
            {"ids": [ID], "function_name": "f", "output_source": "inference"},
        ),
        {"inferences": []},
    ),
    "list_inferences": (
        "list_inferences",
        {
            "request": ListInferencesRequest(
                function_name="f",
                episode_id=UUID(ID),
                filters=InferenceFilterAnd(
                    children=[
                        InferenceFilterOr(
                            children=[
                                InferenceFilterFloatMetric(metric_name="x", value=0.5, comparison_operator=">="),
                                InferenceFilterBooleanMetric(metric_name="y", value=False),
                            ]
                        ),
                        InferenceFilterNot(child=InferenceFilterTag(key="k", value="v")),
                        InferenceFilterDemonstrationFeedback(has_demonstration=True),
                        InferenceFilterTime(time=MOMENT, comparison_operator="<"),
                    ]
                ),
                order_by=[OrderByMetric(name="x"), OrderByTimestamp(direction="ascending"), OrderBySearchRelevance()],
                limit=3,
                before=ID,
                output_source="demonstration",
                search_query_experimental="needle",
            )
        },
        (
            "POST",
            "/v1/inferences/list_inferences",
            {
                "function_name": "f",
                "episode_id": ID,
                "filters": {
                    "type": "and",
                    "children": [
                        {
                            "type": "or",
                            "children": [
                                {"type": "float_metric", "metric_name": "x", "value": 0.5, "comparison_operator": ">="},
                                {"type": "boolean_metric", "metric_name": "y", "value": False},
                            ],
                        },
                        {
                            "type": "not",
                            "child": {"type": "tag", "key": "k", "value": "v", "comparison_operator": "="},
                        },
                        {"type": "demonstration_feedback", "has_demonstration": True},
                        {"type": "time", "time": "2026-11-28T12:00:00Z", "comparison_operator": "<"},
                    ],
                },
                "order_by": [
                    {"by": "metric", "name": "x", "direction": "descending"},
                    {"by": "timestamp", "direction": "ascending"},
                    {"by": "search_relevance", "direction": "descending"},
                ],
                "limit": 3,
                "before": ID,
                "output_source": "demonstration",
                "search_query_experimental": "needle",
            },
        ),
        {"inferences": []},
    ),
    "create_datapoints": (
        "create_datapoints",
        {
            "dataset_name": "a b/c",
            "requests": [
                CreateDatapointRequestChat(function_name="f", input=INPUT, output=[Text("Ho")], tags={"k": "v"}),
                CreateDatapointRequestJson(
                    function_name="g", input=INPUT, output=JsonDatapointOutputUpdate(raw="{}"), name="n"
                ),
                {"type": "chat", "function_name": "h", "input": INPUT},
            ],
        },
        (
            "POST",
            "/v1/datasets/a%20b%2Fc/datapoints",
            {
                "datapoints": [
                    {
                        "type": "chat",
                        "function_name": "f",
                        "input": INPUT,
                        "output": [{"type": "text", "text": "Ho"}],
                        "tags": {"k": "v"},
                    },
                    {"type": "json", "function_name": "g", "input": INPUT, "output": {"raw": "{}"}, "name": "n"},
                    {"type": "chat", "function_name": "h", "input": INPUT},
                ]
            },
        ),
        IDS,
    ),
    "from ids": (
        "create_datapoints_from_inferences",
        {
            "dataset_name": "d",
            "params": CreateDatapointsFromInferenceRequestParamsInferenceIds(inference_ids=[UUID(ID)]),
            "output_source": "none",
        },
        (
            "POST",
            "/v1/datasets/d/from_inferences",
            {"type": "inference_ids", "inference_ids": [ID], "output_source": "none"},
        ),
        IDS,
    ),
    "from a query": (
        "create_datapoints_from_inferences",
        {
            "dataset_name": "d",
            "params": CreateDatapointsFromInferenceRequestParamsInferenceQuery(
                function_name="f",
                filters=InferenceFilterTag(key="k", value="v", comparison_operator="!="),
                output_source="demonstration",
            ),
        },
        (
            "POST",
            "/v1/datasets/d/from_inferences",
            {
                "type": "inference_query",
                "function_name": "f",
                "filters": {"type": "tag", "key": "k", "value": "v", "comparison_operator": "!="},
                "output_source": "demonstration",
            },
        ),
        IDS,
    ),
    "update_datapoints": (
        "update_datapoints",
        {
            "dataset_name": "d",
            "requests": [
                UpdateChatDatapointRequest(id=UUID(ID), output=None, tags={}),
                UpdateJsonDatapointRequest(id=ID, output_schema={"type": "object"}, name=None),
            ],
        },
        (
            "PATCH",
            "/v1/datasets/d/datapoints",
            {
                "datapoints": [
                    {"type": "chat", "id": ID, "output": None, "tags": {}},
                    {"type": "json", "id": ID, "output_schema": {"type": "object"}, "name": None},
                ]
            },
        ),
        IDS,
    ),
    "update_datapoints_metadata": (
        "update_datapoints_metadata",
        {
            "dataset_name": "d",
            "requests": [
                UpdateDatapointMetadataRequest(id=ID, name="n"),
                UpdateDatapointMetadataRequest(id=ID, name=None),
                UpdateDatapointMetadataRequest(id=ID),
            ],
        },
        (
            "PATCH",
            "/v1/datasets/d/datapoints/metadata",
            {"datapoints": [{"id": ID, "name": "n"}, {"id": ID, "name": None}, {"id": ID}]},
        ),
        IDS,
    ),
    "get_datapoints": (
        "get_datapoints",
        {"dataset_name": "d", "ids": [ID]},
        ("POST", "/v1/datasets/d/get_datapoints", IDS),
        {"datapoints": []},
    ),
    "get_datapoints of any dataset": (
        "get_datapoints",
        {"ids": [ID]},
        ("POST", "/v1/datasets/get_datapoints", IDS),
        {"datapoints": []},
    ),
    "list_datapoints": (
        "list_datapoints",
        {
            "dataset_name": "d",
            "request": ListDatapointsRequest(
                filter=AndDatapointFilter(
                    children=[
                        NotDatapointFilter(child=TagDatapointFilter(key="k", value="v")),
                        TimeDatapointFilter(time="2026-01-01T00:00:00Z", comparison_operator=">"),
                    ]
                ),
                order_by=[OrderByTimestamp()],
                offset=0,
            ),
        },
        (
            "POST",
            "/v1/datasets/d/list_datapoints",
            {
                "filter": {
                    "type": "and",
                    "children": [
                        {
                            "type": "not",
                            "child": {"type": "tag", "key": "k", "value": "v", "comparison_operator": "="},
                        },
                        {"type": "time", "time": "2026-01-01T00:00:00Z", "comparison_operator": ">"},
                    ],
                },
                "order_by": [{"by": "timestamp", "direction": "descending"}],
                "offset": 0,
            },
        ),
        {"datapoints": []},
    ),
    "delete_datapoints": (
        "delete_datapoints",
        {"dataset_name": "d", "ids": [UUID(ID)]},
        ("DELETE", "/v1/datasets/d/datapoints", IDS),
        {"num_deleted_datapoints": 1},
    ),
    "delete_dataset": (
        "delete_dataset",
        {"dataset_name": "d"},
        ("DELETE", "/v1/datasets/d", None),
        {"num_deleted_datapoints": 2},
    ),
    "create_dataset": (
        "create_dataset",
        {"name": "d", "group_by": "tag::user"},
        ("POST", "/v1/datasets", {"name": "d", "group_by": "tag::user"}),
        DATASET,
    ),
    "get_dataset": ("get_dataset", {"dataset_name": "a/b"}, ("GET", "/v1/datasets/a%2Fb", None), DATASET),
    "list_datasets": (
        "list_datasets",
        {"function_name": "f", "limit": 2},
        ("GET", "/internal/datasets?function_name=f&limit=2", None),
        {"datasets": [{"dataset_name": "d", "datapoint_count": 1, "last_updated": "2026-01-01T00:00:00Z"}]},
    ),
    "list_dataset_changes": (
        "list_dataset_changes",
        {"dataset_name": "d", "before": 3},
        ("GET", "/v1/datasets/d/versions?before=3", None),
        {"changes": [], "next": None},
    ),
    "clone_datapoints": (
        "clone_datapoints",
        {"dataset_name": "d", "datapoint_ids": [UUID(ID)]},
        ("POST", "/internal/datasets/d/datapoints/clone", {"datapoint_ids": [ID]}),
        {"datapoint_ids": [None]},
    ),
    "workflow_evaluation_run": (
        "workflow_evaluation_run",
        {"variants": {"f": "v"}, "project_name": "p", "tags": {"a": "b"}},
        ("POST", "/workflow_evaluation_run", {"variants": {"f": "v"}, "project_name": "p", "tags": {"a": "b"}}),
        {"run_id": ID},
    ),
    "workflow_evaluation_run_episode": (
        "workflow_evaluation_run_episode",
        {"run_id": UUID(ID), "task_name": "t"},
        ("POST", f"/workflow_evaluation_run/{ID}/episode", {"task_name": "t"}),
        {"episode_id": ID},
    ),
    "plan_erasure": (
        "plan_erasure",
        {"tag": ("user", "7")},
        ("POST", "/v1/erasures", {"tag": {"key": "user", "value": "7"}, "plan": True}),
        {"plan": True, "inferences": 3, "backups": [{"time": "t", "path": "p"}]},
    ),
    "render": (
        "render",
        {"variants": {"f": "v"}, "inference_ids": [UUID(ID)]},
        ("POST", "/v1/inferences/render", {"variants": {"f": "v"}, "inference_ids": [ID]}),
        {"samples": []},
    ),
    "experimental_render_samples": (
        "experimental_render_samples",
        {"variants": {"f": "v"}, "stored_samples": [], "concurrency": 3},
        ("POST", "/v1/inferences/render", {"variants": {"f": "v"}, "inference_ids": [], "datapoint_ids": []}),
        {"samples": [{"outcome": "failed", "type": "inference", "id": ID, "error": {"code": "c", "message": "m"}}]},
    ),
    "erase": (
        "erase",
        {"episode_id": UUID(ID)},
        ("POST", "/v1/erasures", {"episode_id": ID}),
        {"plan": False},
    ),
}
LINES = {"export_inferences", "export_dataset", "import_dataset", "replay"}
"""See test_lines.py."""


@pytest.mark.parametrize("case", CASES)
def test_what_is_sent(connect, case):
    name, arguments, expected, answer = CASES[case]
    seen = []

    def gateway(request):
        seen.append(request)
        return httpx2.Response(200, json=answer)

    connect(gateway, base_url="http://gateway.test/base/", api_key="sk-t0-key").call(name, **arguments)
    (request,) = seen
    body = msgspec.json.decode(request.content) if request.content else None
    assert (request.method, request.url.raw_path.decode().removeprefix("/base"), body) == expected
    assert request.headers["authorization"] == "Bearer sk-t0-key"
    assert request.headers.get("content-type") == (None if body is None else "application/json")
    assert request.headers["user-agent"].startswith("calibrant-python/")


def test_every_method_is_among_the_cases_and_both_clients_have_the_same():
    import inspect

    from calibrant import AsyncClient, Client

    def public(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    others = {"build_http", "close", "run", "lines"}
    assert public(Client) == public(AsyncClient)
    assert public(Client) - others == {name for name, *_ in CASES.values()} | LINES
    for name in public(Client) - {*others, "inference"}:
        shown, awaited = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
        assert shown.parameters == awaited.parameters
        assert shown.return_annotation == awaited.return_annotation.removeprefix("Async")
        assert inspect.getdoc(getattr(Client, name))
        assert not inspect.iscoroutinefunction(getattr(Client, name))
        assert inspect.iscoroutinefunction(getattr(AsyncClient, name))


def test_our_methods_have_the_names_and_the_parameters_of_tensorzeros_client():
    import inspect

    import tensorzero

    from calibrant import Client
    from calibrant.client import InferenceOptions

    missing = {"build_embedded", "optimization", "close"}
    for name in dir(tensorzero.TensorZeroGateway):
        if name.startswith(("_", "experimental_")) or name in missing:
            continue
        theirs = set(inspect.signature(getattr(tensorzero.TensorZeroGateway, name)).parameters) - {"self"}
        if name == "inference":
            ours = {*InferenceOptions.__annotations__, "stream"}
        else:
            ours = set(inspect.signature(getattr(Client, name)).parameters) - {"self"}
        assert theirs <= ours, name


def test_headers_of_one_inference(connect):
    seen = []

    def gateway(request):
        seen.append(request)
        return httpx2.Response(200, json=CHAT)

    connect(gateway).call(
        "inference",
        model_name="m",
        input=INPUT,
        gateway_http_headers={"x-team": "blue"},
        otlp_traces_extra_headers={"a": "1"},
        otlp_traces_extra_attributes={"b": "2"},
        otlp_traces_extra_resources={"c": "3"},
    )
    headers = seen[0].headers
    assert headers["x-team"] == "blue"
    assert headers["tensorzero-otlp-traces-extra-header-a"] == "1"
    assert headers["tensorzero-otlp-traces-extra-attribute-b"] == "2"
    assert headers["tensorzero-otlp-traces-extra-resource-c"] == "3"
    assert msgspec.json.decode(seen[0].content) == {"model_name": "m", "input": INPUT}


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_lead_to_another_route_is_refused(connect, name):
    with pytest.raises(ValueError, match="dataset_name"):
        connect(lambda request: httpx2.Response(500)).call("delete_dataset", dataset_name=name)


def test_wrong_arguments_are_told_as_python_tells_them(connect):
    client = connect(lambda request: httpx2.Response(500))
    with pytest.raises(TypeError, match="unexpected keyword argument 'inputs'"):
        client.call("inference", inputs=INPUT)
    with pytest.raises(TypeError, match="'input'"):
        client.call("inference", model_name="m")
    with pytest.raises(TypeError, match="metric"):
        client.call("feedback", metric="m", value=1)
    with pytest.raises(ValueError, match="output_source"):
        client.call(
            "create_datapoints_from_inferences",
            dataset_name="d",
            params={"type": "inference_ids", "inference_ids": [ID], "output_source": "none"},
            output_source="none",
        )
