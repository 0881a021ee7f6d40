"""Rows for tests of the record: small, whole, and different from each other where it matters."""

from msgspec.structs import replace

from calibrant.base.ids import uuid7
from calibrant.types.rows import (
    Begun,
    FeedbackRecord,
    FeedbackRow,
    InferenceRow,
    Inferred,
    ModelInferenceRow,
)


def inference(**changes):
    # What was drawn served, and was drawn for the episode, unless a test says otherwise.
    changes = {"episode_id": uuid7(), **changes}
    if "variant_name" in changes:
        changes.setdefault("assigned_variant", changes["variant_name"])
    row = InferenceRow(
        id=uuid7(),
        episode_id=changes["episode_id"],
        function_name="extract",
        variant_name="small",
        function_type="json",
        status="ok",
        snapshot_hash="ab" * 32,
        unit=changes["episode_id"],
        assigned_variant="small",
        probability=0.25,
        finish_reason="stop",
        processing_ms=12.5,
        durations={"send": 10.5, "render": 0.25},
        input_tokens=7,
        output_tokens=3,
        tags={"user": "ü", "tensorzero::x": "1"},
        input=b'{"messages":[]}',
        output=b'{"raw":"' + b"x" * 1000 + b'"}',
        output_schema=b'{"type":"object"}',
    )
    return replace(row, **changes)


def model_inference(inference_id, **changes):
    row = ModelInferenceRow(
        id=uuid7(),
        inference_id=inference_id,
        attempt=1,
        variant_name="small",
        model_name="m",
        provider_name="p",
        provider_type="openai",
        status="ok",
        http_status=200,
        raw_usage=b'{"prompt_tokens":7}',
        usage_source="reported",
        raw_request=b'{"model":"m"}',
        raw_response=b"\xff not text" * 50,
    )
    return replace(row, **changes)


def inferred(**changes):
    row = inference(**changes)
    return Inferred(row, (model_inference(row.id),))


def begun(**changes):
    return Begun(inference(**{"status": "running", "stream": True, "input": None, "output": None, **changes}))


def feedback(target_id, **changes):
    row = FeedbackRow(
        id=uuid7(),
        metric_name="correct",
        kind="boolean",
        level="inference",
        target_id=target_id,
        snapshot_hash="ab" * 32,
        number=1.0,
        tags={"rater": "r"},
    )
    return FeedbackRecord(replace(row, **changes))
