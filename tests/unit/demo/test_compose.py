"""The sample is what its words and its seed make of it."""

from importlib import resources

from calibrant.demo.compose import compose, encode, read_words


def test_the_shipped_sample_is_the_composed_one() -> None:
    shipped = resources.files("calibrant.demo").joinpath("data", "ner_sample.jsonl").read_bytes()
    assert encode(compose(read_words())) == shipped


def test_every_entity_stands_in_its_sentence_and_every_slot_was_filled() -> None:
    for row in compose(read_words(), train=60, validation=60, seed=1):
        assert all(text in row.text for _, text in row.entities.counts())
        assert "{" not in row.text


def test_documents_are_short_and_of_one_split() -> None:
    rows = compose(read_words(), train=60, validation=60, seed=2)
    for number in {row.document for row in rows}:
        document = [row for row in rows if row.document == number]
        assert len(document) <= 5
        assert len({row.split for row in document}) == 1


def test_validation_holds_names_that_training_never_saw() -> None:
    rows = compose(read_words())
    learned = {entity for row in rows if row.split == "train" for entity in row.entities.counts()}
    judged = [entity for row in rows if row.split == "validation" for entity in row.entities.counts()]
    unseen = sum(entity not in learned for entity in judged) / len(judged)
    assert 0.5 < unseen < 0.9
