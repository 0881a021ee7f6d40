"""How much of what judges was seen before: items that stand in another split, and answers that stand in a prompt.

A variant does well on an item that it, or whoever wrote its prompt, has seen. So a share of such items is told, and
what the others say is told beside what all say.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal

from msgspec import Struct

from calibrant.measure.arguments import check_is, check_texts, check_threshold, listed, whole
from calibrant.measure.arms import Arm, Compared, compare
from calibrant.measure.leakage import THRESHOLD, normalised
from calibrant.measure.minhash import near_across, print_of
from calibrant.measure.quoting import Quote, answers_in, copied_in
from calibrant.measure.summary import Kind

__all__ = [
    "CONTAMINATED",
    "LEAK_KINDS",
    "WARNING",
    "Contamination",
    "Item",
    "Leak",
    "LeakKind",
    "Prompt",
    "SplitLeaks",
    "Twice",
    "Verdict",
    "compare_twice",
    "contamination_of",
]

LeakKind = Literal["exact", "normalised", "near", "group", "answer", "copied"]
"""`exact`: the same content stands in another split. `normalised`: the same text does, but for case, width, space and
digits. `near`: a text that overlaps by the threshold. `group`: another split has items of the same group. `answer`: the
answer stands in a prompt. `copied`: a prompt has a row of the item's words.
"""
Verdict = Literal["clean", "warning", "contaminated"]

LEAK_KINDS: Final[tuple[LeakKind, ...]] = ("exact", "normalised", "near", "group", "answer", "copied")
WARNING: Final = 0.01
"""Share of leaked items from which on it is said."""
CONTAMINATED: Final = 0.05
"""Share from which on a result deserves no trust unless the leak-free items say the same."""

_EXAMPLES: Final = 20
_MOST_SPLITS: Final = 16
_LONGEST: Final = 200
"""Characters of a quotation that are shown."""


class Item(Struct, frozen=True, kw_only=True):
    """What a variant is judged by, or has seen."""

    id: str
    split: str
    text: str
    """What it asks. Without any, only its content and its group are compared."""
    content: str | None = None
    """The same for items that ask the same, such as a hash; null to go by the text alone."""
    group: str | None = None
    """What belongs together: an episode, a user, a document."""
    answer: str | None = None


class Prompt(Struct, frozen=True):
    """What a model is told with every item: a system prompt, or a demonstration."""

    name: str
    text: str


class Leak(Struct, frozen=True):
    """An item that was seen before, and where."""

    kind: LeakKind
    id: str
    other: str
    """The id of an item of another split, or the name of a prompt."""
    share: float | None = None
    """Of `near` the Jaccard index."""
    words: int | None = None
    """Of `answer` and `copied` how many words."""
    text: str | None = None
    """Of those the words themselves, at most 200 characters."""


class SplitLeaks(Struct, frozen=True):
    """What leaked into one split."""

    split: str
    n: int
    leaked: int
    """Items with a leak of any kind."""
    counts: dict[LeakKind, int]
    """Of `exact`, `normalised` and `near` an item counts for the first that holds; the others are counted beside."""
    share: float
    """Of leaked items; 0 of none."""
    verdict: Verdict
    """What to think of results on this split."""


class Contamination(Struct, frozen=True):
    """What leaked into the splits that judge."""

    splits: tuple[SplitLeaks, ...]
    """Those that judge, by name."""
    leaks: tuple[Leak, ...]
    """Examples: of each kind at most as many as were asked for, the nearest first."""
    clean: tuple[str, ...]
    """The ids of the leak-free items of the splits that judge, in the order given."""
    verdict: Verdict
    """That of the split with the greatest share of leaked items."""
    why: str
    """The verdict in a sentence for a person."""


class Twice(Struct, frozen=True):
    """A comparison on all items, and on those that did not leak."""

    all: Compared
    clean: Compared | None
    """Null where every item leaked."""
    agrees: bool
    """Whether the leak-free items say of the difference what all say: its sign, or that it is not decided."""
    why: str


def contamination_of(
    items: Sequence[Item],
    prompts: Sequence[Prompt] = (),
    *,
    judges: Collection[str] | None = None,
    threshold: float = THRESHOLD,
    examples: int = _EXAMPLES,
) -> Contamination:
    """Return what of the splits that judge stands in other splits or in a prompt.

    Args:
        items: Of all splits.
        prompts: What variants are told with every item.
        judges: The splits whose items judge; null for all. What leaks into the others harms nobody.
        threshold: Jaccard index of character 5-grams from which on two texts are near-duplicates.
        examples: Leaks of each kind that are named.

    Raises:
        TypeError: something is no Item, no Prompt, or no text where one belongs.
        ValueError: an id is there twice, a split that is to judge has no items, there are more than 16 splits, or the
            threshold is not within (0, 1].

    Source: the shares and the threshold by K. Lee, D. Ippolito, A. Nystrom, C. Zhang, D. Eck, C. Callison-Burch and
    N. Carlini, Deduplicating training data makes language models better (ACL 2022), who find that more than 4 % of the
    validation sets of common corpora overlap what is trained on.
    """
    check_threshold(threshold)
    examples = whole("examples", examples, hint="leaks of each kind that are named")
    _check_given(items, prompts)
    splits = _checked(items, judges)
    asked = {at: item.id for at, item in enumerate(items) if item.split in splits}
    leaks = [each for each in (*_twins(items, splits, threshold), *_quotes(items, prompts)) if each[0] in asked]
    leaked = {at for at, _ in leaks}
    counted = tuple(_counted(split, items, leaks) for split in splits)
    clean = tuple(name for at, name in asked.items() if at not in leaked)
    verdict, why = _verdict(counted)
    return Contamination(counted, _examples([leak for _, leak in leaks], examples), clean, verdict, why)


def compare_twice(
    first: Arm,
    second: Arm,
    clean: Collection[str],
    *,
    kind: Kind = "float",
    worst: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
) -> Twice:
    """Return a comparison of two variants on all items, and again on the leak-free ones.

    Args:
        first: The incumbent, with its items named.
        second: The other variant, with its items named.
        clean: The ids of leak-free items, as `Contamination.clean` has them.
        kind: As of `compare`, like all that follows.
        worst: The score of what failed.
        level: Nominal coverage of the intervals.
        seed: Of the draws of a test that flips signs.

    Raises:
        TypeError: as `compare`, or the ids are no texts.
        ValueError: as `compare`, or the items are not named.
    """
    clean = check_texts("clean", clean)
    check_is("first", first, Arm, hint="an Arm, with its items named")
    check_is("second", second, Arm, hint="an Arm, with its items named")
    for name, arm in (("first", first), ("second", second)):
        if arm.items is None:
            raise ValueError(f"{name} has no items: name the items of both variants, or nobody knows which leaked")
    on_all = compare(first, second, kind=kind, worst=worst, level=level, seed=seed)
    kept = set(clean)
    arms = [_kept(arm, kept) for arm in (first, second)]
    if not all(arm.scores for arm in arms):
        return Twice(on_all, None, False, "every item leaked, so nothing is left that could confirm the difference")
    on_clean = compare(arms[0], arms[1], kind=kind, worst=worst, level=level, seed=seed)
    agrees = _sign(on_all) == _sign(on_clean)
    said = "say the same as" if agrees else "do not say the same as"
    return Twice(on_all, on_clean, agrees, f"{len(arms[1].scores)} leak-free items {said} all {len(second.scores)}")


def _check_given(items: Sequence[Item], prompts: Sequence[Prompt]) -> None:
    for at, item in enumerate(listed("items", items, "Items")):
        check_is(f"items[{at}]", item, Item, hint='an Item, as Item(id="1", split="val", text="...")')
        fields = (item.id, item.split, item.text, item.content or "", item.group or "", item.answer or "")
        check_texts(f"items[{at}]", fields)
    for at, prompt in enumerate(listed("prompts", prompts, "Prompts")):
        check_is(f"prompts[{at}]", prompt, Prompt, hint='a Prompt, as Prompt("system", "...")')
        check_texts(f"prompts[{at}]", (prompt.name, prompt.text))


def _checked(items: Sequence[Item], judges: Collection[str] | None) -> list[str]:
    """Return the splits that judge, by name."""
    if judges is not None:
        judges = check_texts("judges", judges)
    if len({item.id for item in items}) < len(items):
        raise ValueError("items has an id twice: give each an id of its own")
    splits = {item.split for item in items}
    if len(splits) > _MOST_SPLITS:
        raise ValueError(f"{len(splits)} splits, and not at most {_MOST_SPLITS}: what has so many values is a group")
    if missing := sorted(set(judges or ()) - splits):
        raise ValueError(f"judges: there is no item of {missing[0]!r}; there are {sorted(splits)}")
    return sorted(splits if judges is None else set(judges))


def _twins(items: Sequence[Item], judges: Sequence[str], threshold: float) -> list[tuple[int, Leak]]:
    """Return for each item the closest kind of twin in another split, and a mate of its group there."""
    splits = [item.split for item in items]
    plain = [normalised(item.text) or None for item in items]
    worded = [item.text if item.text.strip() else None for item in items]
    content = _elsewhere([item.content or text for item, text in zip(items, worded, strict=True)], splits)
    text = _elsewhere(plain, splits)
    near = _near(items, judges, {*content, *text}, threshold)
    group = _elsewhere([item.group for item in items], splits)
    found: list[tuple[int, Leak]] = []
    for at, item in enumerate(items):
        if at in content:
            found.append((at, Leak("exact", item.id, items[content[at]].id)))
        elif at in text:
            found.append((at, Leak("normalised", item.id, items[text[at]].id)))
        elif at in near:
            other, share = near[at]
            found.append((at, Leak("near", item.id, items[other].id, share=share)))
        if at in group:
            found.append((at, Leak("group", item.id, items[group[at]].id)))
    return found


def _elsewhere(keys: Sequence[str | None], splits: Sequence[str]) -> dict[int, int]:
    """Return for each item with a key the first item of another split that has the same."""
    first: dict[str, dict[str, int]] = {}
    for at, (key, split) in enumerate(zip(keys, splits, strict=True)):
        if key is not None:
            first.setdefault(key, {}).setdefault(split, at)
    found: dict[int, int] = {}
    for at, (key, split) in enumerate(zip(keys, splits, strict=True)):
        others = {} if key is None else first[key]
        other = min((place for of, place in others.items() if of != split), default=None)
        if other is not None:
            found[at] = other
    return found


def _near(
    items: Sequence[Item], judges: Sequence[str], done: Collection[int], threshold: float
) -> dict[int, tuple[int, float]]:
    """Return for each item that judges, but for what is done, a near-duplicate in another split, and how near it is."""
    worded = [at for at, item in enumerate(items) if item.text.strip()]
    prints = {at: print_of(items[at].text) for at in worded}
    found: dict[int, tuple[int, float]] = {}
    for split in judges:
        mine = [at for at in worded if items[at].split == split and at not in done]
        others = [at for at in worded if items[at].split != split]
        places, shares = near_across([prints[at] for at in mine], [prints[at] for at in others], threshold)
        for at, place, share in zip(mine, places.tolist(), shares.tolist(), strict=True):
            if place >= 0:
                found[at] = (others[place], share)
    return found


def _quotes(items: Sequence[Item], prompts: Sequence[Prompt]) -> list[tuple[int, Leak]]:
    texts = [prompt.text for prompt in prompts]

    def leak(kind: LeakKind, quote: Quote) -> tuple[int, Leak]:
        item, name = items[quote.item].id, prompts[quote.prompt].name
        return quote.item, Leak(kind, item, name, words=quote.words, text=quote.text[:_LONGEST])

    answers = answers_in(texts, [item.answer for item in items])
    copied = copied_in(texts, [item.text for item in items])
    return [*(leak("answer", each) for each in answers), *(leak("copied", each) for each in copied)]


def _counted(split: str, items: Sequence[Item], leaks: Sequence[tuple[int, Leak]]) -> SplitLeaks:
    here = [(at, leak.kind) for at, leak in leaks if items[at].split == split]
    counts: dict[LeakKind, int] = {kind: sum(of == kind for _, of in here) for kind in LEAK_KINDS}
    n, leaked = sum(item.split == split for item in items), len({at for at, _ in here})
    share = leaked / n if n else 0.0
    verdict: Verdict = "contaminated" if share >= CONTAMINATED else "warning" if share >= WARNING else "clean"
    return SplitLeaks(split, n, leaked, counts, share, verdict)


def _examples(leaks: Sequence[Leak], most: int) -> tuple[Leak, ...]:
    ranked = sorted(leaks, key=lambda leak: -(leak.share or leak.words or 0))
    return tuple(leak for kind in LEAK_KINDS for leak in [each for each in ranked if each.kind == kind][:most])


def _verdict(splits: Sequence[SplitLeaks]) -> tuple[Verdict, str]:
    worst = max(splits, key=lambda each: each.share, default=None)
    if worst is None:
        return "clean", "there are no items"
    told = f"{worst.share:.1%} of the {worst.n} items of {worst.split} ({worst.leaked}) were seen before"
    match worst.verdict:
        case "clean":
            return "clean", f"{told}, which is below {WARNING:.0%}"
        case "warning":
            return "warning", f"{told}: report every gain twice, on all items and on the leak-free ones"
        case "contaminated":
            return "contaminated", f"{told}: results on them mean nothing unless the leak-free items say the same"


def _kept(arm: Arm, clean: Collection[str]) -> Arm:
    at = [place for place, item in enumerate(arm.items or ()) if item in clean]
    return Arm(
        scores=[arm.scores[place] for place in at],
        items=[(arm.items or ())[place] for place in at],
        clusters=None if arm.clusters is None else [arm.clusters[place] for place in at],
    )


def _sign(found: Compared) -> int:
    comparison = found.comparison
    if not comparison.decided:
        return 0
    return 1 if (comparison.difference.estimate or 0) > 0 else -1
