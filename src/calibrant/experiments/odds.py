"""By which odds each inference was drawn: the chances of all variants, of which the record has that of the drawn one.

Weights are edited, and segments have weights of their own. The configuration that a draw was made with says which
chances there were; where it is not kept, what the other draws of the same configuration had often does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

__all__ = ["Chances", "Draw", "Held", "Odds", "Phase", "Shares", "nobody_kept", "odds_of"]

Phase = tuple[str, str | None]
"""What held when a variant was drawn: the hash of the configuration, and the namespace."""
Draw = tuple[Phase, str, float]
"""What the record has of one: what held, the drawn variant, and the chance of that variant."""
Chances = tuple[tuple[str, float], ...]
"""By variant, of those that have any; they add up to 1 where all are known."""
Shares = Callable[[str | None], Mapping[str, float]]
"""The chance of each variant for a request of a namespace by the configuration of now; empty where nobody knows."""
Held = Callable[[Phase], Sequence[Mapping[str, float]]]
"""The chances that a phase had, once for each of its segments; empty where nobody kept them."""

_NEARLY: Final = 1e-6
"""Chances are told by division, and differ by rounding."""
_DIGITS: Final = 9


def nobody_kept(phase: Phase) -> Sequence[Mapping[str, float]]:
    """Return nothing: what a `Held` says where no configuration is kept."""
    return ()


class Odds(Struct, frozen=True):
    """The chances that held at a draw."""

    phase: Phase
    sets: tuple[Chances, ...]
    """Several where the record cannot tell which of them held, none where nobody knows any."""

    def chance(self, name: str) -> float | None:
        """Return a variant's; null where nobody knows."""
        told = {dict(each).get(name, 0.0 if _adds_up(each) else None) for each in self.sets}
        return told.pop() if len(told) == 1 else None

    def between(self, first: str, second: str) -> float | None:
        """Return how likely the second was, where it was one of the two; null where nobody knows.

        It is 0 or 1 where one of them could not be drawn.
        """
        told: set[float | None] = set()
        for each in self.sets:
            chances = dict(each)
            rest = 0.0 if _adds_up(each) else None
            one, other = chances.get(first, rest), chances.get(second, rest)
            if one is None or other is None:
                told.add(None)
            elif one + other > 0:
                told.add(round(other / (one + other), _DIGITS))
        return told.pop() if len(told) == 1 else None


def odds_of(draws: Iterable[Draw], shares: Shares, held: Held) -> dict[Draw, Odds]:
    """Return the odds of each draw.

    Args:
        draws: What the record has of each.
        shares: What the configuration of now says.
        held: What the configuration of then says.
    """
    seen: dict[Phase, dict[str, set[float]]] = {}
    for phase, name, chance in draws:
        seen.setdefault(phase, {}).setdefault(name, set()).add(chance)
    names = {name for of in seen.values() for name in of}
    found: dict[Draw, Odds] = {}
    for phase, of in seen.items():
        known = {(name, _rounded(chance)) for name, chances in of.items() for chance in chances}
        sets = _told(known, held(phase)) or _agreed(known, shares(phase[1])) or _inferred(known, names)
        groups = [Odds(phase, group) for group in _indistinct(sets)]
        owner = {each: odds for odds in groups for of_set in odds.sets for each in of_set}
        for name, chances in of.items():
            for chance in chances:
                found[phase, name, chance] = owner.get((name, _rounded(chance)), Odds(phase, ()))
    return found


def _told(seen: set[tuple[str, float]], held: Sequence[Mapping[str, float]]) -> list[Chances]:
    """Return the sets of the configuration that was kept; none where it does not have all that was seen."""
    if not held:
        return []
    told = list(dict.fromkeys(_set_of(each) for each in held))
    # Where there were no candidates to draw among, or one variant alone, it was certain.
    certain = [((name, chance),) for name, chance in sorted(seen) if chance == 1.0]
    told = list(dict.fromkeys([*told, *certain]))
    return told if seen <= {each for of_set in told for each in of_set} else []


def _agreed(seen: set[tuple[str, float]], now: Mapping[str, float]) -> list[Chances]:
    """Return the chances of now, where they are those that were seen: they name who got nothing, too."""
    whole = _set_of(now)
    return [whole] if now and seen <= set(whole) else []


def _inferred(seen: set[tuple[str, float]], names: set[str]) -> list[Chances]:
    """Return the sets that the draws themselves tell of; none where they do not."""
    whole = tuple(sorted(seen))
    total = sum(chance for _, chance in whole)
    drawn = {name for name, _ in seen}
    if len(drawn) == len(seen) and total < 1 + _NEARLY:
        missing = names - drawn
        if not _adds_up(whole) and len(missing) == 1:
            return [_set_of({**dict(whole), missing.pop(): 1 - total})]
        return [whole]
    return _of_two(seen, *sorted(names)) if len(names) == 2 else []


def _of_two(seen: set[tuple[str, float]], first: str, second: str) -> list[Chances]:
    """Return the sets where there are two variants, so that one's chance is what the other's leaves."""
    ones = {chance for name, chance in seen if name == first}
    others = {_rounded(1 - chance) for name, chance in seen if name == second}
    # If no two of them fit, there was a third variant, which was never drawn.
    if ones and others and not ones & others:
        return []
    return [_set_of({first: chance, second: 1 - chance}) for chance in sorted(ones | others)]


def _indistinct(sets: Sequence[Chances]) -> list[tuple[Chances, ...]]:
    """Return the sets in groups: of one group are those between which a draw that both may have made does not tell."""
    groups: list[tuple[Chances, ...]] = []
    for each in sets:
        touching = [group for group in groups if any(set(each) & set(other) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append((*(other for group in touching for other in group), each))
    return groups


def _set_of(chances: Mapping[str, float]) -> Chances:
    return tuple(sorted((name, _rounded(chance)) for name, chance in chances.items() if chance > 0))


def _adds_up(chances: Chances) -> bool:
    return sum(chance for _, chance in chances) > 1 - _NEARLY


def _rounded(chance: float) -> float:
    return round(chance, _DIGITS)
