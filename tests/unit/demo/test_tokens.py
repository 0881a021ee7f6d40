"""Tokens and tags."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.demo.corpus import Entities, Row
from calibrant.demo.tokens import TAGS, decode_tags, encode_tags, tokenize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ada's visit to Oslo.", ["Ada", "'s", "visit", "to", "Oslo", "."]),
        ("U.S. officials (J. Doe) said:", ["U.S.", "officials", "(", "J.", "Doe", ")", "said", ":"]),
        ('"At St. Mary\'s..."', ['"', "At", "St.", "Mary", "'s", "...", '"']),
        ("Kestrel 4.", ["Kestrel", "4", "."]),
        ("the EU-wide 3-1 win", ["the", "EU-wide", "3-1", "win"]),
        ("  \n ", []),
        ("''", ["''"]),
    ],
)
def test_words_and_marks_come_apart(text: str, words: list[str]) -> None:
    assert [token.text for token in tokenize(text)] == words


@settings(deadline=None)
@given(st.text(max_size=80))
def test_tokens_lie_in_order_and_leave_only_spaces_between_them(text: str) -> None:
    at = 0
    for token in tokenize(text):
        assert token.text
        assert text[token.start : token.end] == token.text
        assert not text[at : token.start].strip()
        at = token.end
    assert not text[at:].strip()


@settings(deadline=None)
@given(st.text(alphabet="Ab.,' \u2019s", max_size=30), st.data())
def test_any_tags_give_entities_that_stand_in_the_text(text: str, data) -> None:
    tokens = tokenize(text)
    tags = data.draw(st.lists(st.sampled_from(TAGS), min_size=len(tokens), max_size=len(tokens)))
    found = decode_tags(text, tokens, tags).counts()
    assert all(entity in text for _, entity in found)
    assert found.total() >= sum(tag.startswith("B") for tag in tags)


def test_the_longest_entity_takes_its_words_first() -> None:
    truth = Entities(location=("Paris",), organization=("Paris Club",))
    row = Row("The Paris Club met in Paris.", truth, 0, "train")
    tokens, tags = encode_tags(row)
    assert tags == ["O", "B-organization", "I-organization", "O", "O", "B-location", "O"]
    assert decode_tags(row.text, tokens, tags) == truth


def test_an_entity_that_is_not_in_the_text_is_left_out() -> None:
    _, tags = encode_tags(Row("Nothing here.", Entities(person=("Ada",)), 0, "train"))
    assert set(tags) == {"O"}


def test_neighbours_of_one_kind_stay_apart_and_a_stray_inside_opens() -> None:
    text = "Ada Bo Oslo"
    found = decode_tags(text, tokenize(text), ["B-person", "B-person", "I-location"])
    assert found == Entities(person=("Ada", "Bo"), location=("Oslo",))
