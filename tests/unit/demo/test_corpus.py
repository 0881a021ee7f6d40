"""The corpus: what is read, what is refused, and how answers are scored."""

from pathlib import Path

import pytest

from calibrant.base.errors import ConfigError
from calibrant.demo.corpus import Corpus, Entities, Row, f1, leak_free, load, load_csv
from calibrant.demo.tokens import decode_tags, encode_tags

CONLL = Path(__file__).parents[4] / "shared" / "data" / "ner_conllpp.csv"
HEAD = "raw_id,raw_split,input,output\n"


def test_the_sample_is_split_and_no_validation_sentence_was_learned() -> None:
    corpus = load()
    assert len(corpus.train) >= 300
    assert len(corpus.validation) >= 400
    learned = {row.text for row in corpus.train}
    assert not [row.text for row in corpus.validation if row.text in learned]
    assert {row.document for row in corpus.train}.isdisjoint(row.document for row in corpus.validation)


def test_every_entity_of_the_sample_survives_tags() -> None:
    corpus = load()
    for row in corpus.train + corpus.validation:
        tokens, tags = encode_tags(row)
        assert decode_tags(row.text, tokens, tags).counts() == row.entities.counts(), row.text


def test_every_entity_of_conllpp_survives_tags() -> None:
    if not CONLL.is_file():
        pytest.skip("the CoNLL++ file is not on this machine")
    corpus = load_csv(CONLL)
    assert (len(corpus.train), len(corpus.validation)) == (14_041, 3_250)
    assert len(leak_free(corpus)) == 2_611
    for row in corpus.validation:
        tokens, tags = encode_tags(row)
        assert decode_tags(row.text, tokens, tags).counts() == row.entities.counts(), row.text


def test_rows_of_a_csv_stand_in_documents_of_their_split(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    output = '"{""person"": [""Ada""], ""location"": []}"'
    lines = [f"{n},train,Ada {n},{output}" for n in range(4)] + [f"0,validation,Ada,{output}"]
    file.write_text(HEAD + "\n".join(lines), encoding="utf-8")
    corpus = load_csv(file, document=2)
    assert [row.document for row in corpus.train] == [0, 0, 1, 1]
    assert corpus.validation == (Row("Ada", Entities(person=("Ada",)), 0, "validation"),)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        HEAD + "0,test,Ada,{}\n",
        HEAD + "0,train,Ada,{\n",
        HEAD + "x,train,Ada,{}\n",
        HEAD + "0,train\n",
        HEAD + '0,train,Ada,"[1]"\n',
    ],
)
def test_a_file_that_is_no_corpus_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"rows\.csv.*raw_split, input"):
        load(file)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_bytes(HEAD.encode() + b"0,train,\xff\xfe,{}\n")
    with pytest.raises(ConfigError, match="not a corpus"):
        load(tmp_path / "bad.csv")


def test_leaks_are_found_past_case_digits_and_spaces() -> None:
    empty = Entities()
    train = (Row("LONDON 1996-08-30", empty, 0, "train"),)
    validation = (
        Row("London  1996-12-06", empty, 0, "validation"),
        Row("Paris 1996", empty, 0, "validation"),
    )
    assert leak_free(Corpus(train, validation)) == validation[1:]


@pytest.mark.parametrize(
    ("found", "score"),
    [
        (Entities(person=("Ada", "Bo"), location=("Oslo",)), 1.0),
        (Entities(location=("Oslo",), person=("Bo", "Ada")), 1.0),
        (Entities(person=("Ada",)), 0.5),
        (Entities(person=("Oslo",)), 0.0),
        (Entities(), 0.0),
    ],
)
def test_f1_compares_what_is_named_and_not_its_order(found: Entities, score: float) -> None:
    assert f1(found, Entities(person=("Ada", "Bo"), location=("Oslo",))) == pytest.approx(score)


def test_nothing_found_where_there_is_nothing_is_right() -> None:
    assert f1(Entities(), Entities()) == 1.0
