"""What became of an element: what the record knows of it already, and what is told of one that failed."""

from __future__ import annotations

from calibrant.base.errors import CalibrantError
from calibrant.engine.engine import Engine
from calibrant.engine.recall import recorded
from calibrant.types.batch import BatchElement, Finished
from calibrant.wire.batch import encode_recorded

__all__ = ["ENDPOINT", "already_recorded", "failed"]

ENDPOINT = "batch_inference"


def failed(element: BatchElement, error: CalibrantError) -> Finished:
    """Return that an element failed."""
    # A message may quote what a client sent, and half a surrogate pair cannot be stored.
    message = error.message.encode("utf-8", "replace").decode()
    return Finished(element.inference_id, "failed", None, error.code, message)


async def already_recorded(engine: Engine, element: BatchElement) -> Finished | None:
    """Return what became of an element whose worker is gone, where the record has it.

    An answer of which the record keeps no payload is as good as none: the element has to be made again.

    Raises:
        StoreUnavailable: the record may have it, and cannot be asked now.
    """
    row = None if engine.targets is None else await recorded(engine, element.inference_id)
    if row is None:
        return None
    if row.status == "error":
        return Finished(row.id, "failed", None, row.error_code, row.error_message)
    answer = encode_recorded(row)
    return None if answer is None else Finished(row.id, "completed", answer)
