"""TensorZero's client is the oracle: whatever field its types have, ours have under the same name."""

import dataclasses
import typing

import msgspec
import pytest
from tensorzero import generated_types as theirs
from tensorzero import types as their_answers

import calibrant.client as ours

GENERATED = [
    name
    for name in ours.__all__
    if dataclasses.is_dataclass(getattr(theirs, name, None)) and issubclass(getattr(ours, name), msgspec.Struct)
]
ANSWERS = {
    "ChatInferenceResponse": "ChatInferenceResponse",
    "JsonInferenceResponse": "JsonInferenceResponse",
    "ChatChunk": "ChatChunk",
    "JsonChunk": "JsonChunk",
    "Usage": "Usage",
    "RawUsageEntry": "RawUsageEntry",
    "RawResponseEntry": "RawResponseEntry",
    "FeedbackResponse": "FeedbackResponse",
    "WorkflowEvaluationRunResponse": "WorkflowEvaluationRunResponse",
    "WorkflowEvaluationRunEpisodeResponse": "WorkflowEvaluationRunEpisodeResponse",
    "TextDelta": "TextChunk",
    "ToolCallDelta": "ToolCallChunk",
    "ThoughtDelta": "ThoughtChunk",
    "UnknownDelta": "UnknownChunk",
}
BLOCKS = ("RawText", "Template", "Text", "Thought", "ToolCall", "ToolResult", "Unknown")
"""Theirs have the tag in a type of its own."""


def names(kind) -> set[str]:
    """The names on the wire that one of our types has, its tag among them."""
    tag = kind.__struct_config__.tag_field
    return {*kind.__struct_encode_fields__, *([tag] if tag else [])}


def test_most_of_their_types_are_compared():
    assert len(GENERATED) > 30
    assert {"StoredInferenceChat", "DatapointJson", "ListInferencesRequest", "InferenceFilterNot"} <= set(GENERATED)


@pytest.mark.parametrize("name", GENERATED)
def test_a_type_has_every_field_that_theirs_has(name):
    their, our = getattr(theirs, name), getattr(ours, name)
    fields = {field.name: field for field in dataclasses.fields(their)}
    assert set(fields) <= names(our)
    tag = our.__struct_config__.tag_field
    if name in BLOCKS:
        their = getattr(theirs, f"StoredInputMessageContent{name}")
        fields = {field.name: field for field in dataclasses.fields(their)}
    assert tag == next((tag for tag in ("type", "by") if tag in fields), None)
    if tag is not None:
        assert our.__struct_config__.tag == fields[tag].default


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_every_field_that_theirs_has(name):
    their, our = getattr(their_answers, ANSWERS[name]), getattr(ours, name)
    assert {field.name for field in dataclasses.fields(their)} <= names(our)


@pytest.mark.parametrize("name", [name for name in GENERATED if name.startswith(("Create", "Update", "List"))])
def test_what_theirs_must_have_ours_must_have_too(name):
    their, our = getattr(theirs, name), getattr(ours, name)
    needed = {f.name for f in dataclasses.fields(their) if f.default is f.default_factory is dataclasses.MISSING}
    assert needed == {f.encode_name for f in msgspec.structs.fields(our) if f.required}


def test_unions_have_the_same_members():
    for name in ("Datapoint", "StoredInference", "InferenceFilter", "DatapointFilter", "OrderBy"):
        mine = {kind.__name__ for kind in typing.get_args(getattr(ours, name))}
        assert {kind.__name__ for kind in typing.get_args(getattr(theirs, name))} == mine, name
    for name in ("CreateDatapointRequest", "UpdateDatapointRequest", "CreateDatapointsFromInferenceRequestParams"):
        mine = {kind.__name__ for kind in typing.get_args(getattr(ours, name))}
        assert {kind.__name__ for kind in typing.get_args(getattr(theirs, name))} == mine, name
