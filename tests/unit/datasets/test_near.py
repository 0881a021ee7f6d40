"""Near-duplicates are found among those that are there, also where all of them are of one template."""

import random
import string

import pytest

from calibrant.datasets import near

SHARING = 64
"""As many prints of a band as a catalogue returns."""


class Present:
    """The prints of a dataset, in the order of their hashes, as a catalogue has them."""

    def __init__(self, texts):
        made = near.prints_of(texts)
        self.shingles = {each.content_hash: each.shingles for each in made}
        self.bands = {}
        for each in sorted(made, key=lambda each: each.content_hash):
            for band in each.bands:
                self.bands.setdefault(band, []).append(each.content_hash)

    def prints_sharing(self, dataset_name, bands):
        return {band: tuple(self.bands[band][:SHARING]) for band in bands if band in self.bands}

    def prints(self, dataset_name, content_hashes):
        return {each: self.shingles[each] for each in content_hashes}


@pytest.fixture(scope="module")
def texts():
    """1,200 texts, of which four fifths are one template: alike, and yet no near-duplicates."""
    draw = random.Random(1)
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(3, 9))) for _ in range(5000)]
    template = " ".join(draw.choices(words, k=80))
    return {f"{n:04}": f"{template} {' '.join(draw.choices(words, k=20))}" for n in range(1200)}


def test_what_is_kept_of_a_print_makes_it_again(texts):
    made = near.prints_of({name: texts[name] for name in ("0001", "0002")})
    assert near.prints_kept({each.content_hash: each.shingles for each in made}) == made
    assert near.prints_kept({}) == []


@pytest.mark.slow
def test_a_near_duplicate_is_found_among_many_of_one_template(texts):
    fresh = near.prints_of({f"new {name}": f"{text} x" for name, text in texts.items() if int(name) % 12 == 0})
    found = near.links_to_present(Present(texts), "d", fresh)
    assert len(fresh) == 100 and sorted(found) == [(each.content_hash, each.content_hash[4:]) for each in fresh]
