"""Prints, band keys and what is connected: exact by an independent account, and by simulation with a known truth."""

import random
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.measure.leakage import jaccard, shingles
from calibrant.measure.minhash import (
    BANDS,
    ROWS,
    bands_of,
    components,
    near_across,
    near_components,
    near_pairs,
    overlap,
    print_of,
)

WORDS = [blake2b(bytes([i // 256, i % 256]), digest_size=3).hexdigest().translate({48: 103}) for i in range(2000)]


def sentence(rng, words=30):
    return " ".join(rng.choice(WORDS) for _ in range(words))


def with_jaccard(rng, size, share):
    """Return two prints of about `size` hashes whose Jaccard index is at least `share`, and hardly more."""
    union = round(2 * size / (1 + share))
    hashes = rng.permutation(np.unique(rng.integers(0, 2**32, union, dtype=np.uint32)))
    both = int(np.ceil(share * len(hashes)))
    half = both + (len(hashes) - both) // 2
    return np.sort(hashes[:half]), np.sort(np.concatenate([hashes[:both], hashes[half:]]))


def brute(texts, threshold=0.8):
    """Return the components by comparing every two texts, one search after another."""
    sets, label = [shingles(text) for text in texts], list(range(len(texts)))
    for start in range(len(texts)):
        stack = [start]
        while label[start] == start and stack:
            at = stack.pop()
            for other in range(start + 1, len(texts)):
                if label[other] == other and jaccard(sets[at], sets[other]) >= threshold:
                    label[other] = start
                    stack.append(other)
    return label


def test_what_is_stored_never_changes():
    assert print_of("").tolist() == [1367110428]
    assert print_of("abc").tolist() == [3375611500]
    assert print_of("Hello,  World 12").tolist() == [
        *(175598138, 650309808, 745826843, 887691348, 916384830, 1100872002),
        *(1356033566, 2147883014, 2635011933, 2662193261, 3297128332),
    ]
    longer = print_of("Größe: 12 €, \n" + " ".join(WORDS[:200]))
    assert longer.size == 967 and longer[:2].tolist() == [10087280, 10821042]
    keys = bands_of([print_of("Hello, World 12"), print_of(""), longer])
    assert keys.shape == (3, BANDS) and keys.dtype == np.int64
    assert keys[0, :3].tolist() == [-8181313380676569610, 5348982673399381855, -8825787855355104558]
    digest = blake2b(np.ascontiguousarray(keys).astype("<i8").tobytes(), digest_size=8).hexdigest()
    assert digest == "089055b5b31ac74f"


@given(st.text(max_size=80), st.text(max_size=80))
def test_prints_are_as_near_as_the_shingles_of_the_texts(a, b):
    one, other = print_of(a), print_of(b)
    assert one.dtype == np.uint32 and one.size == len(shingles(a)) and (np.diff(one.astype(np.int64)) > 0).all()
    assert overlap(one, other) == pytest.approx(jaccard(shingles(a), shingles(b))) == overlap(other, one)


@given(st.lists(st.text(max_size=30), max_size=8))
def test_keys_do_not_depend_on_the_company(texts):
    prints = [print_of(text) for text in texts]
    alone = [bands_of([each])[0].tolist() for each in prints]
    assert bands_of(prints).tolist() == alone
    assert bands_of(prints[::-1]).tolist() == alone[::-1]


def test_only_the_beginning_of_a_long_text_counts():
    long = "".join(random.Random(1).choices("abcdefgh ", k=20_000))
    assert print_of(long + "and more").tolist() == print_of(long).tolist() != print_of(long[:-400]).tolist()


def test_odd_texts_have_prints():
    assert overlap(print_of("\ud800 lone"), print_of("\ud800 LONE")) == 1
    assert overlap(print_of("ab"), print_of("ab\0")) == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", [5, 9, 45, 180, 1500])
def test_what_overlaps_by_four_fifths_shares_a_key(size):
    rng = np.random.default_rng(size)
    pairs = [with_jaccard(rng, size, 0.8) for _ in range(4000 if size < 1000 else 1000)]
    assert 0.7999 < np.mean([overlap(*pair) for pair in pairs[:300]]) < 0.84
    shared = bands_of([a for a, _ in pairs]) == bands_of([b for _, b in pairs])
    # The bound is 0.99984; four thousand pairs miss 0.6 of them on average, and 5 with a chance of 5 in ten thousand.
    assert shared.any(axis=1).sum() >= len(pairs) - 4


@pytest.mark.slow
@pytest.mark.parametrize(("size", "share"), [(30, 0.3), (30, 0.5), (200, 0.3), (200, 0.6)])
def test_keys_are_shared_as_often_as_the_curve_says(size, share):
    rng = np.random.default_rng(7)
    pairs = [with_jaccard(rng, size, share) for _ in range(3000)]
    expected = np.mean([1 - (1 - overlap(*pair) ** ROWS) ** BANDS for pair in pairs])
    shared = (bands_of([a for a, _ in pairs]) == bands_of([b for _, b in pairs])).any(axis=1).mean()
    # Two hundredths for what the rounds of a signature depend on each other, and four standard errors.
    assert shared == pytest.approx(expected, abs=0.02 + 4 * np.sqrt(expected * (1 - expected) / len(pairs)))


def test_a_key_says_of_which_band_it_is():
    keys = bands_of([print_of(sentence(random.Random(i))) for i in range(300)])
    assert sum(np.unique(keys[:, band]).size for band in range(BANDS)) == np.unique(keys).size


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_components_are_what_a_search_finds(given_):
    n, pairs = given_
    label = list(range(n))
    for _ in range(n):
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    assert components(n, pairs).tolist() == label
    assert components(n, [(b, a) for a, b in reversed(pairs)]).tolist() == label


def test_components_of_nothing_and_of_what_is_not_there():
    assert components(0, []).tolist() == [] and components(2, []).tolist() == [0, 1]
    with pytest.raises(ValueError, match="pairs: 0 to 2 are not all among 0 to 1"):
        components(2, [(0, 2)])
    with pytest.raises(ValueError, match="pairs"):
        components(2, [(-1, 0)])


def test_components_of_texts_are_those_of_comparing_every_two():
    rng = random.Random(3)
    texts = []
    for _ in range(60):
        text = sentence(rng, rng.randint(3, 40))
        texts.append(text)
        for _ in range(rng.randint(0, 4)):
            # A chain: each is an edit of the one before.
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(WORDS) + text[at + rng.randint(0, 6) :]
            texts.append(text)
    rng.shuffle(texts)
    texts += texts[:5] + ["", "", "ab", "AB"]
    prints = [print_of(text) for text in texts]
    pairs = near_pairs(prints)
    assert all(a < b and overlap(prints[a], prints[b]) >= 0.8 for a, b in pairs)
    assert len(set(pairs)) == len(pairs)
    assert near_components(prints).tolist() == brute(texts)
    assert near_pairs([]) == [] and near_pairs(prints[:1]) == []


@pytest.mark.slow
def test_thousands_of_texts_of_one_template_are_one():
    rng = random.Random(5)
    frame = sentence(rng, 40)
    same = [print_of(f"{frame} {sentence(rng, 1)} order {i}") for i in range(2000)]
    assert set(near_components(same).tolist()) == {0}
    other = [print_of(f"{frame} {sentence(rng, 14)}") for _ in range(500)]
    assert 0.5 < overlap(other[0], other[1]) < 0.75
    assert near_components(other).tolist() == list(range(500))


def test_the_nearest_of_others():
    rng = random.Random(9)
    others = [sentence(rng) for _ in range(400)]
    asked = [f"{text} {rng.choice(WORDS)}" for text in others[:300]] + [sentence(rng) for _ in range(100)]
    asked += others[:50]
    places, shares = near_across([print_of(text) for text in asked], [print_of(text) for text in others])
    assert places.tolist() == [*range(300), *[-1] * 100, *range(50)]
    expected = [jaccard(shingles(asked[i]), shingles(others[i])) for i in range(300)]
    assert shares[:300] == pytest.approx(expected) and (shares[300:400] == 0).all() and (shares[400:] == 1).all()
    for one, other in (([], asked), (asked[:2], [])):
        places, shares = near_across([print_of(text) for text in one], [print_of(text) for text in other])
        assert places.tolist() == [-1] * len(one) and shares.tolist() == [0] * len(one)


@pytest.mark.slow
@pytest.mark.parametrize(("own", "few"), [(4, False), (10, False), (10, True)])
def test_near_duplicates_are_found_in_the_midst_of_a_template(own, few):
    rng = random.Random(own)
    frame = sentence(rng, 30)
    others = [print_of(f"{frame} {sentence(rng, own)}") for _ in range(4 if few else 1200)]
    texts = [f"{frame} {sentence(rng, own)}" for _ in range(1200)]
    planted = range(0, 1200, 12)
    asked = [print_of(text) for text in texts]
    others += [print_of(texts[i].replace(texts[i][40:44], "zz")) for i in planted]
    if few:
        asked, others = asked[:100] + [asked[i] for i in planted], others
    places, shares = near_across(asked, others)
    wanted = planted if not few else range(100, 200)
    near = [i for n, i in enumerate(wanted) if overlap(asked[i], others[len(others) - 100 + n]) >= 0.8]
    assert len(near) == 100 and (places[near] >= 0).mean() >= 0.99
    assert all(overlap(asked[i], others[places[i]]) == shares[i] >= 0.8 for i in np.flatnonzero(places >= 0))


class _Unwritten(np.ndarray):
    """An array that nobody writes out."""

    def __repr__(self):
        raise AssertionError("an array was written out, though there was nothing to say of it")


def test_prints_are_compared_without_being_written_out():
    near, other = (print_of(f"Where is my parcel? It was sent on {day} May.").view(_Unwritten) for day in (3, 19))
    assert overlap(near, other) == overlap(near.view(np.ndarray), other.view(np.ndarray))


@pytest.mark.parametrize("threshold", [0, -1, 1.01, float("nan")])
def test_a_threshold_is_a_share(threshold):
    prints = [print_of("a"), print_of("b")]
    for ask in (lambda: near_pairs(prints, threshold), lambda: near_across(prints, prints, threshold)):
        with pytest.raises(ValueError, match="threshold"):
            ask()
    assert near_pairs([*prints, prints[0]], 1) == [(0, 2)]
