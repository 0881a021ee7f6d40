"""Datapoints, from TensorZero's rows to ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec import Struct

from calibrant.base.errors import InvalidRequest
from calibrant.base.ids import id_millis
from calibrant.datasets.making import checked_dataset
from calibrant.imports.blocks import Unmappable, document, to_blocks, to_input, to_json_value, to_tools
from calibrant.imports.inferences import to_id, to_tags
from calibrant.types.datapoint import NO_TOOLS, Content, NewDatapoint, Origin, ToolParams

__all__ = ["ForeignDatapoint", "to_datapoint", "to_example"]


class ForeignDatapoint(Struct, frozen=True):
    """A datapoint of the source as it is to be here."""

    id: str
    dataset_name: str
    new: NewDatapoint
    updated_at: int
    staled_at: int | None


def to_datapoint(row: Mapping[str, Any], *, function_type: str) -> ForeignDatapoint:
    """Return a datapoint.

    Args:
        row: Of `chat_datapoints` or `json_datapoints`.
        function_type: `chat` or `json`.

    Raises:
        Unmappable: it cannot be one of ours.
    """
    datapoint_id = to_id(row, "id")
    given = to_input(row.get("input"))
    if given is None:
        raise Unmappable("a datapoint without an input")
    try:
        dataset_name = checked_dataset(str(row.get("dataset_name") or ""))
    except InvalidRequest as error:
        raise Unmappable(error.message) from None
    output = row.get("output")
    content = (
        Content("chat", str(row.get("function_name")), given, to_blocks(output), _tool_params(row))
        if function_type == "chat"
        else Content(
            "json",
            str(row.get("function_name")),
            given,
            to_json_value(output),
            output_schema=_schema(row.get("output_schema")),
        )
    )
    made_of = row.get("source_inference_id")
    return ForeignDatapoint(
        datapoint_id,
        dataset_name,
        NewDatapoint(
            content,
            row.get("name"),
            None if row.get("episode_id") is None else str(row["episode_id"]),
            to_tags(row),
            Origin("import" if row.get("is_custom") or made_of is None else "inference", made_of),
        ),
        int(row.get("updated_at") or 0),
        row.get("staled_at"),
    )


def to_example(row: Mapping[str, Any]) -> ForeignDatapoint:
    """Return an example of in-context learning as a datapoint of the dataset of its function and variant.

    Args:
        row: Of `dicl_examples`. Its embedding is left: whoever searches among examples embeds them with a model of his.

    Raises:
        Unmappable: it cannot be one of ours.
    """
    example_id, function_name = to_id(row, "id"), str(row.get("function_name") or "")
    given, output = to_input(row.get("input")), row.get("output")
    if given is None or document(output, "output") is None:
        raise Unmappable("an example without an input or an output")
    try:
        dataset_name = checked_dataset(f"dicl-{function_name}-{row.get('variant_name') or ''}")
    except InvalidRequest as error:
        raise Unmappable(error.message) from None
    # The table does not say of which type the function is, and the output does: one object, or a list of blocks.
    content = (
        Content("json", function_name, given, to_json_value(output))
        if isinstance(document(output, "output"), dict)
        else Content("chat", function_name, given, to_blocks(output))
    )
    namespace = row.get("namespace")
    new = NewDatapoint(content, tags={"namespace": str(namespace)} if namespace else {}, origin=Origin("import"))
    return ForeignDatapoint(example_id, dataset_name, new, id_millis(example_id), None)


def _tool_params(row: Mapping[str, Any]) -> ToolParams:
    tools = to_tools(row)
    made = ToolParams(tools.allowed, tools.tools, tools.custom, tools.choice, tools.parallel, tools.provider)
    return NO_TOOLS if made == NO_TOOLS else made


def _schema(text: str | None) -> dict[str, Any] | None:
    found = document(text, "output_schema")
    if not isinstance(found, dict | None):
        raise Unmappable("output_schema is no object")
    return cast("dict[str, Any] | None", found)
