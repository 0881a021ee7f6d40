"""From recorded inferences and datapoints to samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from calibrant.base.errors import CalibrantError
from calibrant.datasets.gathering import gathered
from calibrant.engine.compiled import Compiler
from calibrant.store.base import Reader
from calibrant.types.datapoint import Datapoint
from calibrant.types.replay import Fault, Figures, Sample, SampleKind
from calibrant.types.rows import InferenceRow

__all__ = ["missing", "of_datapoint", "of_inferences"]

_ERASED = Fault("not_found", "it was erased; nothing is left of it but its hash")
_SEALED = Fault("sealed", "it is sealed: only a confirmation asks it, so that nobody has seen what is measured by")


def of_inferences(reader: Reader, compiler: Compiler, rows: Iterable[InferenceRow]) -> Iterator[Sample]:
    """Yield a sample for each inference, one that cannot be read as well.

    Args:
        reader: The record.
        compiler: What functions there are.
        rows: The inferences, with their payloads.
    """
    for row in rows:
        sample = Sample(
            kind="inference",
            id=row.id,
            content=None,
            episode_id=row.episode_id,
            group_key=row.episode_id,
            tags=row.tags,
            figures=Figures(row.input_tokens, row.output_tokens, row.cost, row.processing_ms),
        )
        source = "inference" if row.status == "ok" and row.output is not None else "none"
        try:
            (found,) = gathered(reader, compiler, (row,), source, strict=True)
        except CalibrantError as error:
            yield replace(sample, fault=Fault(error.code, error.message))
        else:
            yield replace(sample, content=found.content)


def of_datapoint(row: Datapoint) -> Sample:
    """Return a sample; of a datapoint that was erased, or is sealed, one that cannot be asked."""
    fault = _ERASED if row.origin.source == "erased" else _SEALED if row.split == "sealed" else None
    return Sample(
        kind="datapoint",
        id=row.id,
        content=row.content if fault is None else None,
        fault=fault,
        episode_id=row.episode_id,
        group_key=row.group_key,
        tags=row.tags,
    )


def missing(kind: SampleKind, id_: str) -> Sample:
    """Return the sample that stands for an id that nobody knows."""
    return Sample(kind=kind, id=id_, content=None, fault=Fault("not_found", f"there is no {kind} {id_}"), group_key=id_)
