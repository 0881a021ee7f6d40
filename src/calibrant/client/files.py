"""What goes in and out as files of lines, and what is forgotten: exports, imports, erasure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from calibrant.client.call import Call, get, post, segment
from calibrant.client.inference import Id
from calibrant.client.inferences import InferenceFilter, OutputSource
from calibrant.types.erasure import Erasure

__all__ = [
    "ImportDatasetResponse",
    "erase",
    "export_dataset",
    "export_inferences",
    "import_dataset",
    "plan_erasure",
]

DatasetFormat = Literal["datapoints", "chat", "preference", "inspect", "evals", "langfuse"]


class ImportDatasetResponse(Struct, frozen=True):
    """How many datapoints came."""

    num_imported_datapoints: int


def export_inferences(  # noqa: PLR0913 - the fields of the route
    *,
    format: Literal["inferences", "chat", "preference"] | None = None,  # noqa: A002 - the route's name
    function_name: str | None = None,
    variant_name: str | None = None,
    episode_id: Id | None = None,
    filters: InferenceFilter | Mapping[str, Any] | None = None,
    output_source: OutputSource | None = None,
    include_failed: bool | None = None,
    model_inferences: bool | None = None,
    render_variant_name: str | None = None,
    after: int | None = None,
) -> Call[bytes]:
    """Read recorded inferences with their feedback, line by line, in order of arrival; `after` goes on behind another.

    `render_variant_name` has the templates with which inputs are written in formats of others; by default the variant
    that served each.
    """
    return _lines(
        "/v1/inferences/export",
        format=format,
        function_name=function_name,
        variant_name=variant_name,
        episode_id=episode_id,
        filters=None if filters is None else msgspec.json.encode(filters).decode(),
        output_source=output_source,
        include_failed=_flag(include_failed),
        model_inferences=_flag(model_inferences),
        render_variant_name=render_variant_name,
        after=after,
    )


def export_dataset(
    *,
    dataset_name: str,
    format: DatasetFormat | None = None,  # noqa: A002 - the route's name
    version: int | None = None,
    function_name: str | None = None,
    variant_name: str | None = None,
) -> Call[bytes]:
    """Read a version of a dataset line by line, the present one where none is named.

    `variant_name` has the templates with which inputs are written in formats of others.
    """
    return _lines(
        f"/v1/datasets/{segment(dataset_name, 'dataset_name')}/export",
        format=format,
        version=version,
        function_name=function_name,
        variant_name=variant_name,
    )


def import_dataset(
    *,
    dataset_name: str,
    lines: bytes | Iterable[bytes | Mapping[str, Any]],
    format: Literal["datapoints", "chat"] | None = None,  # noqa: A002 - the route's name
    function_name: str | None = None,
) -> Call[ImportDatasetResponse]:
    """Add datapoints, a line each: JSON in bytes, or dictionaries. Nothing is added where one of them is wrong.

    `function_name` says whose datapoints lines of the format `chat` become.
    """
    path = f"/v1/datasets/{segment(dataset_name, 'dataset_name')}/import"
    asked = get(path, ImportDatasetResponse, format=format, function_name=function_name)
    body = lines if isinstance(lines, bytes) else b"".join(_line(each) for each in lines)
    return msgspec.structs.replace(
        asked, method="POST", body=body, headers={"content-type": "application/jsonl"}, repeat="unless_sent"
    )


def plan_erasure(*, tag: tuple[str, str] | None = None, episode_id: Id | None = None) -> Call[Erasure]:
    """Say what would be erased of a user, by the name and the value of a tag, or of an episode; erase nothing."""
    return post("/v1/erasures", _whose(tag, episode_id) | {"plan": True}, Erasure)


def erase(*, tag: tuple[str, str] | None = None, episode_id: Id | None = None) -> Call[Erasure]:
    """Forget what belongs to a user, by the name and the value of a tag, or to an episode. There is no way back.

    Made again after a lost answer, it counts only what was left.
    """
    return post("/v1/erasures", _whose(tag, episode_id), Erasure)


def _whose(tag: tuple[str, str] | None, episode_id: Id | None) -> dict[str, Any]:
    if (tag is None) == (episode_id is None):
        raise ValueError("an erasure wants either `tag` or `episode_id`: give one of the two")
    return {"episode_id": episode_id} if tag is None else {"tag": {"key": tag[0], "value": tag[1]}}


def _lines(path: str, **query: object) -> Call[bytes]:
    return msgspec.structs.replace(get(path, bytes, **query), read=bytes)


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _line(given: bytes | Mapping[str, Any]) -> bytes:
    return given.rstrip(b"\r\n") + b"\n" if isinstance(given, bytes) else msgspec.json.encode(given) + b"\n"
