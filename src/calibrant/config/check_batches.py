"""What must hold of `provider_types.gcp_vertex_gemini.batch`: batches need places to come from and to go to."""

from __future__ import annotations

import re

from calibrant.config.check import Report
from calibrant.config.document import Document

__all__ = ["check_batches"]

_PLACE = re.compile(r"gs://[^/?#]+(/[^?#]*)?")
_HERE = ("provider_types", "gcp_vertex_gemini", "batch")


def check_batches(document: Document, report: Report) -> None:
    """Report places that are missing, or are none."""
    table = document.provider_types.gcp_vertex_gemini.batch
    if table is None or table.storage_type == "none":
        return
    for key in ("input_uri_prefix", "output_uri_prefix"):
        place: str | None = getattr(table, key)
        if place is None:
            report((*_HERE, key), "is missing", 'write where files may be put, such as "gs://BUCKET/batches"')
        elif not _PLACE.fullmatch(place):
            report(
                (*_HERE, key), f"is {place[:80]!r}, which is no place of Cloud Storage", 'write "gs://BUCKET/PREFIX"'
            )
