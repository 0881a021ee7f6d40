"""Rows of experiments with a known truth, for tests of what is said of them."""

import numpy as np

from calibrant.store.base import Outcome


def outcome(number, episode, variant="a", *, chance=0.5, status="ok", snapshot="s", namespace=None, **more):
    """One inference that was drawn for its episode; `chance=None` is one whose caller named the variant."""
    fields = {
        "unit": episode,
        "assigned_variant": variant,
        "probability": chance,
        "ms": 10.0,
        "served": variant,
        **more,
    }
    return Outcome(
        f"i{number}",
        episode,
        fields["served"],
        status,
        fields["ms"],
        None,
        7,
        3,
        None,
        snapshot,
        namespace,
        fields["unit"],
        fields["assigned_variant"],
        fields["probability"],
    )


def imported(number, episode, variant="a", namespace=None):
    """One of which nobody recorded how it was drawn."""
    return outcome(number, episode, variant, assigned_variant=None, chance=None, unit=None, namespace=namespace)


def traffic(seed, episodes, *, share=0.5, told=None, size=3, names=("a", "b"), failing=(0.0, 0.0), snapshot="s"):
    """Inferences in episodes of up to `2 * size - 1`, drawn at `share` for the second variant, who was told `told`."""
    draw = np.random.default_rng(seed)
    told = share if told is None else told
    rows = []
    for episode in range(episodes):
        arm = int(draw.random() < share)
        for _ in range(draw.integers(1, 2 * size)):
            status = "error" if draw.random() < failing[arm] else "ok"
            row = outcome(
                f"{snapshot}{len(rows)}",
                f"{snapshot}-{episode}",
                names[arm],
                chance=told if arm else 1 - told,
                status=status,
                snapshot=snapshot,
            )
            rows.append(row)
    return rows


def answers(seed, rows, *, good, judged=None, spread=0.15):
    """Feedback of zeros and ones on what did not fail, alike within an episode; `good` and `judged` are by variant."""
    draw = np.random.default_rng(seed)
    shift = {row.episode_id: draw.normal(0, spread) for row in rows}
    found = {}
    for row in rows:
        heard = draw.random() < (judged or {}).get(row.assigned_variant, 1.0)
        value = float(draw.random() < good[row.assigned_variant] + shift[row.episode_id])
        if row.status == "ok" and heard:
            found[row.inference_id] = value
    return found
