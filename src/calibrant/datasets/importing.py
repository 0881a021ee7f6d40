"""Files into datasets, in batches, each of which makes one version. Blocks; holds one batch in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal

from msgspec.structs import replace

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.datasets.checking import checked_content
from calibrant.datasets.editing import Actor, add
from calibrant.engine.compiled import Compiler
from calibrant.store.catalogue import Catalogue
from calibrant.types.datapoint import Action, NewDatapoint
from calibrant.wire.dataset_lines import decode_chat_line, decode_line

__all__ = ["BATCH", "ImportFormat", "imported", "read_lines"]

ImportFormat = Literal["datapoints", "chat"]
BATCH = 1000
"""Datapoints of one transaction: a writer must not hold up others for long."""


def read_lines(
    lines: Iterable[bytes], form: ImportFormat, compiler: Compiler, *, function_name: str | None, now_ms: int
) -> Iterator[NewDatapoint]:
    """Yield the datapoint of each line, checked. Empty lines are passed over.

    Args:
        lines: Of a file.
        form: Ours, or OpenAI's for chat tuning.
        compiler: Has the functions.
        function_name: Whose datapoints lines of the second become.
        now_ms: Unix time.

    Raises:
        NotFound, InvalidRequest: a line cannot become a datapoint; the message has its number.
    """
    if form == "chat" and function_name is None:
        raise InvalidRequest("function_name: this format does not say whose datapoints they are; name the function")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            wanted = (
                decode_line(line, now_ms=now_ms)
                if form == "datapoints" or function_name is None
                else _from_chat(line, function_name, compiler, now_ms)
            )
            yield replace(wanted, content=checked_content(compiler, wanted.content))
        except (InvalidRequest, NotFound) as error:
            raise type(error)(f"line {number}: {error.message}") from None


def imported(
    catalogue: Catalogue, name: str, wanted: Iterable[NewDatapoint], actor: Actor, *, action: Action = "import"
) -> Iterator[int]:
    """Add datapoints to a dataset, and yield how many have been added so far, after each batch."""
    rest, done = iter(wanted), 0
    while batch := list(islice(rest, BATCH)):
        done += len(add(catalogue, name, batch, actor, action=action))
        yield done


def _from_chat(line: bytes, function_name: str, compiler: Compiler, now_ms: int) -> NewDatapoint:
    function = compiler.function(function_name).function
    own = [tool.name for tool in function.tools.values()]
    return decode_chat_line(line, function_name, function.type, own, now_ms=now_ms)
