"""What a metric says of each thing that could have been judged by it: an inference, or an episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from calibrant.config.schema import Metric
from calibrant.experiments.drawn import Drawn
from calibrant.experiments.odds import Odds

__all__ = ["Judged", "judged", "mixed_episodes"]


class Judged(Struct, frozen=True):
    """An inference or an episode, and its latest feedback."""

    variant_name: str
    unit: str
    """What it belongs together with: all that one draw decided."""
    odds: Odds | None
    """That it was drawn by; null where it was not drawn."""
    value: float | None
    """Null where it has no feedback, as what failed has none."""

    @property
    def drawn(self) -> bool:
        """Whether it fell on its variant by chance."""
        return self.odds is not None


def mixed_episodes(rows: Sequence[Drawn]) -> set[str]:
    """Return the episodes that count for several variants, and so for none."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.row.episode_id, set()).add(row.variant_name)
    return {episode for episode, variants in found.items() if len(variants) > 1}


def judged(metric: Metric, rows: Sequence[Drawn], values: Mapping[str, float]) -> list[Judged]:
    """Return what a metric says of each inference, or of each episode that counts for one variant, in their order.

    An episode is of the unit, and of the time, of its first inference.

    Args:
        metric: The metric.
        rows: All inferences of the function, failed ones included.
        values: The latest feedback by the id of its target.
    """
    if metric.level == "inference":
        return [_judged(row, values.get(row.row.inference_id)) for row in rows]
    mixed = mixed_episodes(rows)
    first: dict[str, Drawn] = {}
    for row in rows:
        if row.row.episode_id not in mixed:
            first.setdefault(row.row.episode_id, row)
    return [_judged(row, values.get(episode)) for episode, row in first.items()]


def _judged(row: Drawn, value: float | None) -> Judged:
    return Judged(row.variant_name, row.unit, row.odds, value)
