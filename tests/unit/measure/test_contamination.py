"""Leaks: planted ones are found, what is none is not, and the verdict follows the shares."""

import csv
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.measure import Arm, Item, Prompt, compare, compare_twice, contamination_of
from calibrant.measure.leakage import jaccard, shingles

CONLL = Path(__file__).parents[4] / "shared" / "data" / "ner_conllpp.csv"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sentence(rng, words=25):
    return " ".join("".join(rng.choices(LETTERS, k=rng.randint(2, 9))) for _ in range(words))


def items_of(texts, split, **more):
    return [Item(id=f"{split}{i}", split=split, text=text, **more) for i, text in enumerate(texts)]


def leaked_ids(found, items, split):
    return {item.id for item in items if item.split == split} - set(found.clean)


@pytest.mark.slow
def test_planted_copies_and_edits_are_found_and_nothing_else():
    rng = random.Random(11)
    train = [f"{sentence(rng)} {i:05}" for i in range(2000)]
    test = [sentence(rng) for _ in range(1000)]
    edited = {}
    for i in range(600):
        text = train[rng.randrange(len(train))]
        if i < 200:
            edited[i] = (text, "exact")
        elif i < 400:
            edited[i] = (f" {text[:-5].upper()}{rng.randrange(100_000):05}", "normalised")
        else:
            at = rng.randrange(len(text) - 8)
            edited[i] = (text[:at] + rng.choice(LETTERS) * rng.randint(0, 3) + text[at + 2 :], "near")
            assert jaccard(shingles(edited[i][0]), shingles(text)) >= 0.8
    test = [edited[i][0] if i in edited else text for i, text in enumerate(test)]
    items = items_of(train, "train") + items_of(test, "test")
    found = contamination_of(items, judges=["test"], examples=2000)
    kinds = {leak.id: leak.kind for leak in found.leaks}
    for kind, least in (("exact", 200), ("normalised", 198), ("near", 190)):
        assert sum(kinds.get(f"test{i}") == kind for i, (_, of) in edited.items() if of == kind) >= least
    assert leaked_ids(found, items, "test") == set(kinds) <= {f"test{i}" for i in edited}
    texts = {item.id: item.text for item in items}
    for leak in found.leaks:
        share = jaccard(shingles(texts[leak.id]), shingles(texts[leak.other]))
        assert share >= 0.8 and leak.share == (pytest.approx(share) if leak.kind == "near" else None)
    (split,) = found.splits
    assert (found.verdict, split.verdict, split.n, split.leaked) == ("contaminated", "contaminated", 1000, len(kinds))
    assert len(kinds) == 600
    assert found.why.startswith("60.0% of the 1000 items of test (600) were seen before: results on them mean nothing")


@pytest.mark.parametrize(
    ("leaked", "verdict", "told"),
    [
        (0, "clean", "which is below 1%"),
        (1, "clean", "below"),
        (2, "warning", "twice"),
        (9, "warning", "twice"),
        (10, "contaminated", "nothing unless the leak-free"),
    ],
)
def test_the_verdict_is_by_the_share(leaked, verdict, told):
    rng = random.Random(2)
    test = [sentence(rng) for _ in range(200)]
    items = items_of(test[:leaked] + [sentence(rng)], "train") + items_of(test, "test")
    found = contamination_of(items, judges={"test"})
    (split,) = found.splits
    assert (found.verdict, split.share, split.leaked) == (verdict, leaked / 200, leaked)
    assert told in found.why
    assert found.clean == tuple(f"test{i}" for i in range(leaked, 200))
    # Who judges matters: nearly all that was learned stands among what judges.
    assert contamination_of(items).verdict == ("contaminated" if leaked else "clean")


def test_groups_contents_and_texts_that_are_not_there():
    items = [
        Item(id="a", split="one", text="", content="image 1", group="g"),
        Item(id="b", split="two", text=" ", content="image 1", group="h"),
        Item(id="c", split="two", text="", content="image 2", group="g"),
        Item(id="d", split="two", text=""),
        Item(id="e", split="two", text="", content="image 2"),
        Item(id="f", split="one", text=""),
    ]
    found = contamination_of(items)
    assert {(leak.kind, leak.id, leak.other) for leak in found.leaks} == {
        *{("exact", "a", "b"), ("exact", "b", "a"), ("group", "a", "c"), ("group", "c", "a")}
    }
    assert found.clean == ("d", "e", "f")
    assert [(each.split, each.n, each.leaked) for each in found.splits] == [("one", 2, 1), ("two", 4, 2)]
    assert found.splits[0].counts == {"exact": 1, "normalised": 0, "near": 0, "group": 1, "answer": 0, "copied": 0}


def test_what_a_prompt_says_is_no_secret_to_those_who_judge():
    own = "the parcel that i sent last week has come back without its lid"
    items = [
        Item(id="a", split="test", text=own),
        Item(id="b", split="test", text="who was it", answer="Ada Lovelace, 1843"),
        Item(id="c", split="train", text="and who", answer="Charles Babbage, 1837"),
        Item(id="d", split="test", text="nothing"),
    ]
    prompts = [
        Prompt("v/system", f"Q: {own.title()} A: oh"),
        Prompt("v/user", "Such as Ada Lovelace, 1843, or Charles Babbage, 1837"),
    ]
    found = contamination_of(items, prompts, judges=["test"])
    (answer, copied) = found.leaks
    assert (answer.kind, answer.id, answer.other, answer.text) == ("answer", "b", "v/user", "ada lovelace 1843")
    assert (copied.kind, copied.id, copied.other, copied.words) == ("copied", "a", "v/system", 13)
    assert found.clean == ("d",)
    assert len(contamination_of(items, prompts).leaks) == 3


def test_examples_are_bounded_and_the_nearest_first():
    rng = random.Random(4)
    train = [sentence(rng) for _ in range(30)]
    test = [text[: -1 - i % 5] for i, text in enumerate(train)]
    found = contamination_of(items_of(train, "train") + items_of(test, "test"), judges=["test"], examples=7)
    shares = [leak.share for leak in found.leaks]
    assert len(shares) == 7 and shares == sorted(shares, reverse=True) and found.splits[0].leaked == 30


def test_what_cannot_be_asked():
    one = Item(id="a", split="x", text="t")
    with pytest.raises(ValueError, match="twice"):
        contamination_of([one, one])
    with pytest.raises(ValueError, match=r"judges: there is no item of 'y'; there are \['x'\]"):
        contamination_of([one], judges=["y"])
    with pytest.raises(ValueError, match="17 splits"):
        contamination_of([Item(id=str(i), split=str(i), text="t") for i in range(17)])
    empty = contamination_of([])
    assert (empty.verdict, empty.splits, empty.clean, empty.why) == ("clean", (), (), "there are no items")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.text("ab1 ", max_size=12)), max_size=12), st.randoms())
def test_leaks_are_mutual_and_do_not_depend_on_the_order(rows, rng):
    items = [Item(id=str(i), split=split, text=text) for i, (split, text) in enumerate(rows)]
    found = contamination_of(items, examples=100)
    shuffled = rng.sample(items, len(items))
    assert set(contamination_of(shuffled).clean) == set(found.clean)
    sets = {item.id: (item.split, item.text.strip() and shingles(item.text)) for item in items}
    for item in items:
        split, own = sets[item.id]
        twin = any(own and other and of != split and jaccard(own, other) >= 0.8 for of, other in sets.values())
        assert twin is (item.id not in found.clean)


def test_a_gain_that_was_copied_is_not_confirmed():
    items = [str(i) for i in range(600)]
    clean = items[200:]
    first = Arm(scores=[float(i % 2) for i in range(600)], items=items)
    other = [float(i // 2 % 2) for i in range(600)]
    copied = Arm(scores=[1.0] * 200 + other[200:], items=items)
    twice = compare_twice(first, copied, clean, kind="boolean")
    assert twice.all == compare(first, copied, kind="boolean") and twice.all.comparison.decided
    assert not twice.clean.comparison.decided and not twice.agrees and "400 leak-free items do not say" in twice.why
    assert twice.clean.comparison.difference.n == 400 and twice.clean.paired
    gain = Arm(scores=[float(i % 5 > 0) for i in range(600)], items=items)
    honest = compare_twice(first, gain, clean, kind="boolean")
    assert honest.agrees and honest.clean.comparison.decided
    worse = Arm(scores=[1.0] * 200 + [0.0] * 400, items=items[:200] + clean)
    assert not compare_twice(first, worse, items[:200], kind="boolean").agrees
    assert compare_twice(first, Arm(scores=other, items=items), clean, kind="boolean").agrees


def test_clusters_stay_with_their_items():
    items = [str(i) for i in range(60)]
    labels = [str(i // 3) for i in range(60)]
    arms = [Arm(scores=[float(i % k == 0) for i in range(60)], items=items, clusters=labels) for k in (2, 3)]
    twice = compare_twice(*arms, clean=items[30:])
    expected = [Arm(scores=each.scores[30:], items=items[30:], clusters=labels[30:]) for each in arms]
    assert twice.clean == compare(*expected) and twice.all == compare(*arms)


def test_what_cannot_be_compared_twice():
    named = Arm(scores=[1.0, 0.0], items=["a", "b"])
    twice = compare_twice(named, named, [])
    assert twice.clean is None and not twice.agrees and twice.why.startswith("every item leaked")
    with pytest.raises(ValueError, match="items: name the items"):
        compare_twice(named, Arm(scores=[1.0, 0.0]), ["a"])


def rows_of(file):
    if not file.is_file():
        pytest.skip(f"REAL DATA IS NOT TESTED HERE: there is no {file.name} on this machine")
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.mark.slow
def test_validation_sentences_of_conllpp_stand_in_its_train_split():
    rows = rows_of(CONLL)
    items = [Item(id=str(i), split=row["raw_split"], text=row["input"]) for i, row in enumerate(rows)]
    (found,) = contamination_of(items, judges=["validation"]).splits
    assert (found.n, found.counts["exact"], found.counts["normalised"]) == (3250, 193, 399)
    # By comparing every two, 59 more overlap by 0.8.
    assert 58 <= found.counts["near"] <= 59 and found.verdict == "contaminated"
