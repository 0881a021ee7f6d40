"""The OpenAPI document: valid, and about every route. Answers are held against it in tests/e2e/test_openapi.py."""

import re

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.unit.server.test_access import bare_routes

from calibrant import __version__
from calibrant.server.described import DESCRIBED, READ_AS
from calibrant.server.description import PATHS, TAGS
from calibrant.server.openapi import build_document


def build(base_path="", keys_asked=True, table=None):
    return build_document(
        bare_routes() if table is None else table,
        version=__version__,
        base_path=base_path,
        keys_asked=keys_asked,
        described=DESCRIBED,
    )


@pytest.fixture(scope="module")
def document():
    return build()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def every(value, key):
    """Everything that stands under a key, however deep."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name == key:
                yield each
            yield from every(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from every(each, key)


def test_every_route_has_a_row_and_every_row_a_route():
    assert {f"{route.method} {route.path}" for route in bare_routes()} == set(DESCRIBED)


def test_what_may_be_left_out_is_said(document):
    optional = {
        name for name, each in operations(document) if not each.get("requestBody", {"required": True})["required"]
    }
    assert optional == {"POST /workflow_evaluation_run/{run_id}/episode"}
    (window,) = (
        each["schema"]["enum"]
        for each in document["paths"]["/internal/feedback/timeseries"]["get"]["parameters"]
        if each["name"] == "time_window"
    )
    assert set(window) == {"minute", "hour", "day", "week", "month"}


def test_a_route_without_a_row_fails():
    table = bare_routes()
    with pytest.raises(KeyError, match="GET /status"):
        build_document(
            [route for route in table if route.path == "/status"],
            version="1",
            base_path="",
            keys_asked=True,
            described={},
        )


def test_it_is_openapi_3_1(document):
    OpenAPIV31SpecValidator(document).validate()


def test_the_validator_would_see_a_fault(document):
    broken = {**document, "paths": {"/x": {"get": {"responses": {"200": {}}}}}}
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_every_route_is_in_it_with_its_summary_and_group(document):
    found = dict(operations(document))
    assert len({operation["operationId"] for operation in found.values()}) == len(found)
    for route in bare_routes():
        operation = found[f"{route.method} {route.path}"]
        assert operation["summary"] == route.summary
        assert operation["tags"][0] in TAGS
        assert {"200", "400", "500"} <= set(operation["responses"])


def test_every_row_that_takes_a_body_has_an_example_that_is_valid(document):
    for name, operation in operations(document):
        assert ("requestBody" in operation) == (DESCRIBED[name].body is not None)
        if "requestBody" in operation:
            media = operation["requestBody"]["content"][DESCRIBED[name].body_type]
            schema = {**media["schema"], "components": document["components"]}
            jsonschema_rs.Draft202012Validator(schema).validate(media["example"])
        else:
            assert DESCRIBED[name].example is None


def test_parameters_of_paths_are_all_there_and_none_too_many(document):
    named = set()
    for name, operation in operations(document):
        inside = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
        assert inside == re.findall(r"\{(\w+)\}", name)
        named.update(inside)
    assert named == set(PATHS)


def test_keys_and_roles(document):
    found = dict(operations(document))
    assert found["GET /status"]["security"] == []
    assert "401" not in found["GET /status"]["responses"]
    assert found["POST /inference"]["security"] == [{"bearer": []}, {"x-api-key": []}, {"api-key": []}]
    assert "`inference`, `admin`" in found["POST /inference"]["description"]
    assert found["GET /v1/keys"]["description"].endswith("among `admin`.")
    assert {"401", "403"} <= set(found["GET /v1/keys"]["responses"])


def test_a_gateway_that_asks_for_no_keys_says_so():
    document = build(keys_asked=False)
    assert dict(operations(document))["POST /inference"]["security"][0] == {}
    assert "asks for no API keys" in document["info"]["description"]


@pytest.mark.parametrize(("base_path", "url"), [("", "/"), ("/", "/"), ("/gw", "/gw"), ("/gw/", "/gw")])
def test_where_it_stands(base_path, url):
    document = build(base_path)
    assert document["servers"] == [{"url": url}]
    assert document["info"]["version"] == __version__
    assert "/inference" in document["paths"]


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("POST /inference", "ErrorBody"),
        ("POST /v1/chat/completions", "OpenAIErrorBody"),
        ("POST /v1/messages", "AnthropicErrorBody"),
    ],
)
def test_errors_are_in_the_dialect_of_the_route(document, name, component):
    told = dict(operations(document))[name]["responses"]["400"]["content"]["application/json"]["schema"]
    assert told == {"$ref": f"#/components/schemas/{component}"}


def test_every_reference_leads_somewhere_and_every_component_is_used(document):
    schemas = document["components"]["schemas"]
    found = {ref.removeprefix("#/components/schemas/") for ref in every(document, "$ref")}
    for mapping in every(document, "mapping"):
        found.update(ref.removeprefix("#/components/schemas/") for ref in mapping.values())
    assert found == set(schemas)
    assert all(re.fullmatch("[A-Z][A-Za-z0-9]+", name) for name in schemas)


def test_what_fields_are_read_as_is_said_of_fields_that_there_are():
    for cls, field in READ_AS:
        assert field in cls.__struct_fields__


def test_bodies_say_what_they_refuse_and_what_they_skip(document):
    schemas = document["components"]["schemas"]
    assert schemas["InferenceBody"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["ChatBody"]
    assert "tensorzero::episode_id" in schemas["ChatBody"]["properties"]
    assert schemas["UsageBody"]["properties"]["cost"]["type"] == ["number", "null"]
