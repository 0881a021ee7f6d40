"""The columns of the record by name, and how rows become parameters and back. No SQLAlchemy, no database.

`schema` describes the same tables to SQLAlchemy; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from msgspec.json import Encoder, decode

from calibrant.store.payload import Packer, unpack
from calibrant.types.rows import FeedbackRow, InferenceRow, ModelInferenceRow

__all__ = [
    "FEEDBACK",
    "INFERENCE",
    "INFERENCE_DATA",
    "MODEL",
    "MODEL_DATA",
    "SCHEMA_VERSION",
    "feedback_parameters",
    "inference_data_parameters",
    "inference_parameters",
    "model_data_parameters",
    "model_parameters",
    "to_bytes",
    "to_feedback",
    "to_inference",
    "to_model_inference",
    "to_tags",
]

SCHEMA_VERSION = "0004"
"""The newest revision in `migrations/versions`."""

INFERENCE_DATA = ("input", "output", "inference_params", "tool_params", "output_schema")
MODEL_DATA = ("raw_request", "raw_response")
INFERENCE = tuple(name for name in InferenceRow.__struct_fields__ if name not in INFERENCE_DATA)
MODEL = tuple(name for name in ModelInferenceRow.__struct_fields__ if name not in MODEL_DATA)
FEEDBACK = FeedbackRow.__struct_fields__

_Parameters = tuple[Any, ...]

_encode = Encoder().encode

_inference: Callable[[InferenceRow], _Parameters] = attrgetter(*INFERENCE)
_inference_data: Callable[[InferenceRow], _Parameters] = attrgetter(*INFERENCE_DATA)
_model: Callable[[ModelInferenceRow], _Parameters] = attrgetter(*MODEL)
_feedback: Callable[[FeedbackRow], _Parameters] = attrgetter(*FEEDBACK)
_JSON_IN_INFERENCE = (INFERENCE.index("durations"), INFERENCE.index("tags"))
_STRATEGY = INFERENCE.index("strategy")
_STREAM = INFERENCE.index("stream")
_WORKER = INFERENCE.index("worker")
_CACHED = MODEL.index("cached")
_JSON_IN_MODEL = (MODEL.index("raw_usage"), MODEL.index("finish_detail"))
_FEEDBACK_TAGS = FEEDBACK.index("tags")
_DOCUMENT = FEEDBACK.index("document")
_LINKED = FEEDBACK.index("linked")


def inference_parameters(sequence: int, row: InferenceRow, incarnation: str) -> _Parameters:
    """Return `seq` and the metadata columns of an inference."""
    values = list(_inference(row))
    for index in _JSON_IN_INFERENCE:
        values[index] = _json(values[index])
    values[_STRATEGY] = _text(values[_STRATEGY])
    if not values[_WORKER]:
        values[_WORKER] = incarnation
    return (sequence, *values)


def inference_data_parameters(sequence: int, row: InferenceRow, pack: Packer) -> _Parameters | None:
    """Return `seq` and the payload columns of an inference; None when it has no payload."""
    if all(payload is None for payload in _inference_data(row)):
        return None
    return (
        sequence,
        pack(row.input),
        pack(row.output),
        pack(row.inference_params),
        pack(row.tool_params),
        pack(row.output_schema),
    )


def model_parameters(sequence: int, row: ModelInferenceRow) -> _Parameters:
    """Return `seq` and the metadata columns of a model call."""
    values = list(_model(row))
    for index in _JSON_IN_MODEL:
        values[index] = _text(values[index])
    return (sequence, *values)


def model_data_parameters(sequence: int, row: ModelInferenceRow, pack: Packer) -> _Parameters | None:
    """Return `seq` and the payload columns of a model call; None when it has no payload."""
    if row.raw_request is None and row.raw_response is None:
        return None
    return (sequence, pack(row.raw_request), pack(row.raw_response))


def feedback_parameters(sequence: int, row: FeedbackRow) -> _Parameters:
    """Return `seq` and the columns of a piece of feedback."""
    values = list(_feedback(row))
    values[_FEEDBACK_TAGS] = _json(values[_FEEDBACK_TAGS])
    values[_DOCUMENT] = _text(values[_DOCUMENT])
    return (sequence, *values)


def to_inference(columns: Sequence[Any]) -> InferenceRow:
    """Make a row of the metadata columns, followed by the payload columns or by nothing."""
    values = list(columns)
    for index in _JSON_IN_INFERENCE:
        values[index] = decode(values[index], type=dict[str, Any])
    values[_STREAM] = bool(values[_STREAM])
    values[_STRATEGY] = to_bytes(values[_STRATEGY])
    names = (*INFERENCE, *INFERENCE_DATA)
    values[len(INFERENCE) :] = [unpack(value) for value in values[len(INFERENCE) :]]
    return InferenceRow(**dict(zip(names, values, strict=False)))


def to_tags(column: str | bytes) -> dict[str, str]:
    """Make tags of their column."""
    return decode(column, type=dict[str, str])


def to_model_inference(columns: Sequence[Any]) -> ModelInferenceRow:
    """Make a row of the metadata and payload columns."""
    values = list(columns)
    values[_CACHED] = bool(values[_CACHED])
    for index in _JSON_IN_MODEL:
        values[index] = to_bytes(values[index])
    values[len(MODEL) :] = [unpack(value) for value in values[len(MODEL) :]]
    return ModelInferenceRow(**dict(zip((*MODEL, *MODEL_DATA), values, strict=True)))


def to_feedback(columns: Sequence[Any]) -> FeedbackRow:
    """Make a row of its columns."""
    values = list(columns)
    values[_FEEDBACK_TAGS] = to_tags(values[_FEEDBACK_TAGS])
    values[_DOCUMENT] = to_bytes(values[_DOCUMENT])
    values[_LINKED] = bool(values[_LINKED])
    return FeedbackRow(**dict(zip(FEEDBACK, values, strict=True)))


def _json(value: dict[str, Any]) -> str:
    return _encode(value).decode() if value else "{}"


def _text(value: bytes | None) -> str | bytes | None:
    # Text is what a person sees who opens the file; bytes that are none are kept as they are.
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def to_bytes(value: str | bytes | None) -> bytes | None:
    """Return what was stored as text while it was text."""
    return value.encode() if isinstance(value, str) else value
