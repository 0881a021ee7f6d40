"""Rows of numbers and labels as they are given, checked and brought into arrays: what every file here begins with."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Final, Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import LEAST, MOST, check_choice, check_number, listed, shown

__all__ = [
    "Kind",
    "Labels",
    "Rating",
    "Scale",
    "check_each",
    "checked_counts",
    "checked_rows",
    "checked_table",
    "label_rows",
    "labels_of",
    "rated",
    "ratings_of",
]

Kind = Literal["boolean", "float"]
"""What the rows hold: zeros and ones, or any finite numbers. The same words as a metric's type."""

Labels = Sequence[str] | Sequence[int] | NDArray[np.generic]
"""What each row belongs to: all strings, or all integers."""

Scale = Literal["nominal", "interval"]
Rating = float | int | str

_NUMBERS: Final = "biuf"
_WHOLE_MOST: Final = 2.0**53


def checked_rows(
    values: ArrayLike, kind: Kind = "float", name: str = "values", *, infinite: bool = False
) -> NDArray[np.float64]:
    """Return rows as an array, shape (n,). Of what is smaller than 1e-50 nothing is left but 0.

    Args:
        values: One number a row; True and False are 1 and 0.
        kind: `boolean` rows are 0 or 1.
        name: What an error calls them.
        infinite: Whether a row may be infinite, as e-values may.

    Raises:
        TypeError: they are no list, or a row is no number. Texts are none, also where they look like one.
        ValueError: they are not one-dimensional, not finite, or above 1e50; or a boolean is neither 0 nor 1.
    """
    check_choice("kind", kind, get_args(Kind))
    rows = _floats(values, name, 1)
    if kind == "boolean":
        check_each(name, rows, np.isin(rows, (0.0, 1.0)), "0 or 1")
        return rows
    return _held(rows, name, infinite=infinite)


def checked_counts(values: ArrayLike, name: str, least: int = 0) -> NDArray[np.float64]:
    """Return rows that are whole numbers, as an array, shape (n,).

    Raises:
        TypeError: as `checked_rows`.
        ValueError: as `checked_rows`, or a row is not whole or below the least.
    """
    rows = checked_rows(values, "float", name)
    check_each(
        name, rows, (rows == np.floor(rows)) & (rows >= least) & (rows <= _WHOLE_MOST), f"whole, from {least} on"
    )
    return rows


def checked_table(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return a table as an array of two dimensions.

    Raises:
        TypeError: as `checked_rows`.
        ValueError: as `checked_rows`, but of two dimensions; its rows are all of one length.
    """
    table = _floats(values, name, 2)
    return _held(table.ravel(), name, infinite=False).reshape(table.shape)


def check_each(name: str, rows: NDArray[np.float64], good: NDArray[np.bool_], what: str) -> None:
    """Check that all rows are good.

    Raises:
        ValueError: one is not; it says which, and what each must be.
    """
    if bool(good.all()):
        return
    at = int(np.flatnonzero(~good)[0])
    raise ValueError(f"{name} must be {what}, and {name}[{at}] is {float(rows[at]):g}")


def labels_of(labels: Labels, n: int, name: str = "clusters") -> NDArray[np.generic]:
    """Return a label of each of n rows, shape (n,): all strings, or all integers.

    Raises:
        TypeError: a label is neither, or some are one and some the other.
        ValueError: a label is missing, or there are not n.
    """
    found = _array(labels, name, "labels")
    if found.shape != (n,):
        raise ValueError(f"{name} must have one label a row: {n} rows, labels of shape {found.shape}")
    return label_rows(found, labels, name)


def label_rows(found: NDArray[Any], given: Any, name: str) -> NDArray[np.generic]:
    """Return labels, all strings or all integers, as an array that can be sorted.

    Args:
        found: As numpy has made them.
        given: As they came, since numpy makes text of what is mixed.
        name: What an error calls them.

    Raises:
        TypeError: a label is neither, or some are one and some the other.
        ValueError: a label is missing.
    """
    if found.size == 0 or (isinstance(given, np.ndarray) and found.dtype.kind in "iuUS"):
        return found
    each: list[Any] = found.tolist() if isinstance(given, np.ndarray) else list(given)
    kinds = [_kind_of(label) for label in each]
    for at, (label, kind) in enumerate(zip(each, kinds, strict=True)):
        if kind is None and (label is None or label != label):
            raise ValueError(f"{name}: each row needs a label, and {name}[{at}] is missing")
        if kind is None or kind is not kinds[0]:
            raise TypeError(f"{name} must be all strings or all integers, and {name}[{at}] is {shown(label)}")
    if found.dtype.kind in "iuUS":
        return found
    # Integers that no machine's integer holds tell rows apart as texts, too.
    return np.array([str(label) for label in each])


def rated(values: ArrayLike, name: str) -> NDArray[np.generic]:
    """Return one rating a row: all strings, or all finite numbers; shape (n,).

    Raises:
        TypeError: it is no list, or some are strings and some numbers.
        ValueError: a rating is missing or not finite, or they are not one-dimensional.
    """
    found = _array(values, name, "ratings")
    if found.ndim == 1 and found.size and isinstance(found.tolist()[0], str):
        return label_rows(found, values, name)
    return checked_rows(values, "float", name)


def ratings_of(ratings: Sequence[Sequence[Rating | None]], scale: Scale, name: str) -> list[list[Rating | None]]:
    """Return lists of ratings, null where there is none.

    Raises:
        TypeError: it is no list of lists, a rating of an interval scale is no number, or some are strings and some
            numbers.
        ValueError: a number is not finite.
    """
    check_choice("scale", scale, get_args(Scale))
    found = [
        listed(f"{name}[{at}]", each, "ratings") for at, each in enumerate(listed(name, ratings, "lists of ratings"))
    ]
    first: type | None = None
    for at, row in enumerate(found):
        for place, rating in enumerate(row):
            if rating is None:
                continue
            here = f"{name}[{at}][{place}]"
            if isinstance(rating, str) and scale == "nominal":
                kind: type = str
            else:
                check_number(here, int(rating) if isinstance(rating, bool) else rating)
                kind = float
            first = first or kind
            if kind is not first:
                raise TypeError(f"{name} must be all strings or all numbers, and {here} is {shown(rating)}")
    return found


def _kind_of(label: Any) -> type | None:
    if isinstance(label, str):
        return str
    if isinstance(label, bytes):
        return bytes
    if isinstance(label, bool):
        return None
    return int if isinstance(label, Integral) else None


def _array(values: object, name: str, what: str) -> NDArray[Any]:
    try:
        found = np.asarray(values)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be one list of {what}, all of one length, not {shown(values)}") from None
    if found.ndim == 0:
        raise TypeError(f"{name} must be a list or an array of {what}, not {shown(values)}")
    return found


def _floats(values: Any, name: str, dimensions: int) -> NDArray[np.float64]:
    found = _array(values, name, "numbers")
    if found.size == 0 and found.ndim <= dimensions:
        return np.zeros(found.shape if found.ndim == dimensions else (0,) * dimensions)
    if found.ndim != dimensions:
        wanted = "one-dimensional" if dimensions == 1 else "two-dimensional"
        raise ValueError(f"{name} must be {wanted}, not of shape {found.shape}")
    if found.dtype.kind in _NUMBERS:
        return np.asarray(found, dtype=np.float64)
    given: list[Any] = found.ravel().tolist() if isinstance(values, np.ndarray) or dimensions > 1 else list(values)
    return np.array([_float(each, f"{name}[{at}]") for at, each in enumerate(given)]).reshape(found.shape)


def _float(value: Any, name: str) -> float:
    if value is None:
        raise ValueError(f"{name} is null, and must be a finite number: score a failed row, or leave it out and say so")
    if not isinstance(value, Real | Decimal) and type(value) is not np.bool_:
        raise TypeError(f"{name} must be a number, not {shown(value)}")
    try:
        return float(cast("float", value))
    except OverflowError:
        raise ValueError(f"{name} {shown(value)} is above {MOST:g}, too large to count with") from None


def _held(rows: NDArray[np.float64], name: str, *, infinite: bool) -> NDArray[np.float64]:
    """Return finite rows of a size that can be counted with."""
    if not rows.size:
        return rows
    sizes = np.abs(rows)
    # A nan is not at most anything.
    if not float(sizes.max()) <= MOST:
        finite = np.isfinite(rows) | (infinite & np.isposinf(rows))
        if not bool(finite.all()):
            at = int(np.flatnonzero(~finite)[0])
            hint = "score a failed row, or leave it out and say so"
            raise ValueError(f"{name} must be finite, and {name}[{at}] is {float(rows[at])}: {hint}")
        good = (sizes <= MOST) | (infinite & np.isposinf(rows))
        check_each(name, rows, good, f"of a size that can be counted with, at most {MOST:g}: take a larger unit")
    tiny = (sizes < LEAST) & (sizes > 0)
    return np.where(tiny, 0.0, rows) if bool(tiny.any()) else rows
