"""What is told of datasets as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from calibrant.apischema import datapoints as shape
from calibrant.types.datapoint import BY_EPISODE, Change, Dataset
from calibrant.types.split import Splitting
from calibrant.wire import body as checks
from calibrant.wire.keys import moment

__all__ = ["decode_new_dataset", "encode_changes", "encode_dataset", "encode_datasets"]

_NEW = msgspec.json.Decoder(shape.NewDatasetBody)
_encode = msgspec.json.Encoder().encode


def decode_new_dataset(body: bytes) -> tuple[str, str]:
    """Return the name of the dataset that a body asks for, and what belongs together in it.

    Raises:
        InvalidRequest: it is malformed; the message has the JSON path.
    """
    asked = checks.parse(_NEW, body)
    return asked.name, asked.group_by or BY_EPISODE


def encode_datasets(found: Sequence[Dataset]) -> bytes:
    """Return a list of datasets."""
    listed = [
        shape.ListedDataset(
            each.name,
            each.datapoints,
            moment(each.updated_at),
            each.version,
            each.group_by,
            _splitting(each.splitting),
        )
        for each in found
    ]
    return _encode(shape.DatasetList(listed))


def encode_dataset(found: Dataset) -> bytes:
    """Return what is known of a dataset."""
    return _encode(
        shape.DatasetBody(
            found.name,
            found.version,
            found.datapoints,
            found.group_by,
            moment(found.created_at),
            moment(found.updated_at),
            _splitting(found.splitting),
        )
    )


def encode_changes(found: Sequence[Change], following: int | None) -> bytes:
    """Return a page of what was done to a dataset."""
    changes = [
        shape.ChangeBody(each.version, moment(each.at), each.actor, each.action, each.added, each.removed)
        for each in found
    ]
    return _encode(shape.ChangePage(changes, following))


def _splitting(found: Splitting | None) -> shape.SplittingBody | None:
    return None if found is None else shape.SplittingBody(found.shares, found.newest_days, moment(found.since))
