"""A little SVG: what the pictures are drawn with. Text in, text out.

Every picture is a sheet of its own pale colour with dark ink, so that it reads the same on a light and on a dark page.
What two colours tell apart, weight or shape tells apart as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

from msgspec import Struct

PAPER, INK, SOFT, RULE = "#fbfaf5", "#1f2933", "#5b6470", "#d9d6cb"
PLAIN, ALARM, SEALED = "#2b6a9e", "#c2410c", "#5f4b8b"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

Anchor = Literal["start", "middle", "end"]


class Scale(Struct, frozen=True):
    """Where a number stands on the sheet, in pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a number; what is out of range stands at the edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def sheet(width: int, height: int, title: str, says: str, marks: Iterable[str]) -> str:
    """The whole file. `title` and `says` are for those who cannot see it."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="title says" font-family="{_FONT}">'
    )
    named = f'<title id="title">{escape(title)}</title>\n<desc id="says">{escape(says)}</desc>'
    paper = f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>'
    return "\n".join([head, named, paper, *marks, "</svg>", ""])


def text(
    x: float, y: float, words: str, *, size: int = 13, anchor: Anchor = "start", fill: str = INK, bold: bool = False
) -> str:
    """Words; `y` is the line they stand on."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>'
        f"{escape(words)}</text>"
    )


def line(
    start: tuple[float, float], end: tuple[float, float], *, stroke: str = INK, width: float = 1, dash: str = ""
) -> str:
    """A straight line."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{stroke}" stroke-width="{width:g}"{dashes}/>'
    )


def dot(x: float, y: float, *, radius: float = 2, fill: str = INK) -> str:
    """A filled circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}"/>'


def bar(x: float, y: float, width: float, height: float, *, fill: str, opacity: float = 1) -> str:
    """A filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" '
        f'fill-opacity="{opacity:g}"/>'
    )


def curve(points: Sequence[tuple[float, float]], *, stroke: str, width: float = 2, dash: str = "") -> str:
    """A line through points."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}" '
        f'stroke-linejoin="round"{dashes}/>'
    )


def axis(scale: Scale, y: float, ticks: Sequence[float], labels: Sequence[str], *, up_to: float) -> list[str]:
    """A horizontal axis at `y`, with faint lines from it up to `up_to`."""
    marks = [line((scale.start, y), (scale.end, y), stroke=SOFT)]
    for tick, label in zip(ticks, labels, strict=True):
        at = scale.at(tick)
        marks += [line((at, y), (at, up_to), stroke=RULE), text(at, y + 17, label, size=12, anchor="middle", fill=SOFT)]
    return marks


def side(scale: Scale, x: float, ticks: Sequence[float], labels: Sequence[str], *, up_to: float) -> list[str]:
    """A vertical axis at `x`, with faint lines from it to `up_to`."""
    marks: list[str] = []
    for tick, label in zip(ticks, labels, strict=True):
        at = scale.at(tick)
        marks += [line((x, at), (up_to, at), stroke=RULE), text(x - 6, at + 4, label, size=12, anchor="end", fill=SOFT)]
    return marks


class Span(Struct, frozen=True):
    """An interval to draw."""

    low: float
    point: float
    high: float
    loud: bool
    """Drawn to be noticed."""


def ladder(scale: Scale, top: float, step: float, spans: Sequence[Span], *, fill: str = PLAIN) -> list[str]:
    """Intervals one below the other."""
    marks: list[str] = []
    for row, span in enumerate(spans):
        y = top + row * step
        ink = ALARM if span.loud else fill
        marks.append(
            line((scale.at(span.low), y), (scale.at(span.high), y), stroke=ink, width=2.4 if span.loud else 1.2)
        )
        marks.append(dot(scale.at(span.point), y, radius=2.6 if span.loud else 1.6, fill=ink))
    return marks
