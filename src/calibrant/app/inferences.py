"""Recorded inferences for the command line: asked as the HTTP API asks for them, and shown as it shows them."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict

from calibrant.app.homes import open_catalogue, open_reader
from calibrant.app.options import Options
from calibrant.base.errors import NotFound
from calibrant.config.load import read_environment
from calibrant.config.schema import Config, Metric
from calibrant.config.setting import with_region
from calibrant.datasets.inference_exporting import ExportRequest, InferenceExporter, TuningFormat
from calibrant.datasets.withheld import Withheld
from calibrant.engine.compiled import Compiler
from calibrant.types.rows import FeedbackRow, InferenceRow, ModelInferenceRow
from calibrant.wire.inferences import decode_list
from calibrant.wire.stored import encode_stored

__all__ = ["Found", "Whole", "exporting", "find_inferences", "inferences_json", "whole_inference", "whole_json"]

_encode = msgspec.json.Encoder().encode


class Found(Struct, frozen=True):
    """A page of inferences."""

    rows: tuple[InferenceRow, ...]
    behind: int
    """How many inferences, at most, a search for text did not look at."""


class Whole(Struct, frozen=True):
    """All that is recorded of one inference."""

    row: InferenceRow
    calls: tuple[ModelInferenceRow, ...]
    feedback: tuple[FeedbackRow, ...]
    """On it, and on its episode."""


def find_inferences(options: Options, asked: Mapping[str, Any], config: Config | None) -> Found:
    """Return a page of inferences.

    Args:
        options: Where the record is.
        asked: The body of `POST /v1/inferences/list_inferences`.
        config: Whose metrics filters may name; null for none.

    Raises:
        InvalidRequest: the body is not right.
        StoreUnavailable: there is no database, or it cannot be read.
    """
    metrics: Mapping[str, Metric] = {} if config is None else config.metrics
    listing = decode_list(_encode(asked), metrics)
    reader = open_reader(options, read_environment())
    try:
        behind = 0 if listing.query.text is None else reader.search_behind()
        rows = reader.find(listing.query)
    finally:
        reader.close()
    return Found(rows[::-1] if listing.backwards else rows, behind)


@contextmanager
def exporting(
    options: Options,
    asked: Mapping[str, Any],
    config: Config | None,
    *,
    form: TuningFormat | None,
    calls: bool,
    variant: str | None,
    after: int,
) -> Generator[InferenceExporter]:
    """Lend an export.

    Args:
        options: Where the record is.
        asked: The body of `POST /v1/inferences/list_inferences`, without an order or a page.
        config: Whose metrics filters may name, and whose templates render prompts; null for none.
        form: See `ExportRequest`, as for the rest.
        calls: The same.
        variant: The same.
        after: The same.

    Raises:
        InvalidRequest: what is asked is not right.
        NotFound: there is no such function or variant.
        StoreUnavailable: there is no database, or it cannot be read.
    """
    metrics: Mapping[str, Metric] = {} if config is None else config.metrics
    listing = decode_list(_encode(asked), metrics)
    compiler = None if config is None else Compiler(with_region(config, "unasked"))
    request = ExportRequest(which=listing.query, form=form, after=after, calls=calls, variant=variant)
    environ = read_environment()
    with (
        closing(open_reader(options, environ)) as reader,
        closing(open_catalogue(options, environ)) as catalogue,
    ):
        yield InferenceExporter(reader, compiler, request, Withheld(catalogue))


def whole_inference(options: Options, inference_id: str) -> Whole:
    """Return all that is recorded of an inference, whatever its status.

    Raises:
        NotFound: there is none of this id.
        StoreUnavailable: there is no database, or it cannot be read.
    """
    reader = open_reader(options, read_environment())
    try:
        rows = reader.get([inference_id.lower()])
        if not rows:
            raise NotFound(f"the record has no inference {inference_id!r}; `calibrant inferences list` shows some")
        feedback = (*reader.feedback_for(rows[0].id), *reader.feedback_for(rows[0].episode_id))
        return Whole(rows[0], reader.model_inferences(rows[0].id), feedback)
    finally:
        reader.close()


def inferences_json(rows: Sequence[InferenceRow]) -> bytes:
    """Return inferences as the HTTP API shows them."""
    return encode_stored(rows, source="inference", demonstrated={}, configured=_no_tools)


def whole_json(whole: Whole) -> bytes:
    """Return an inference as the HTTP API shows it, with its calls and its feedback beside it."""
    shown = msgspec.json.decode(inferences_json([whole.row]), type=dict[str, list[Raw]])["inferences"][0]
    return _encode(
        {
            "inference": shown,
            "model_inferences": [_fields(call) for call in whole.calls],
            "feedback": [_fields(each) for each in whole.feedback],
        }
    )


def _no_tools(_: str) -> Collection[str]:
    return ()


def _fields(row: ModelInferenceRow | FeedbackRow) -> dict[str, Any]:
    return {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value
        for name, value in asdict(row).items()
    }
