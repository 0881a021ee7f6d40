"""Tables at any width: no word is broken, and nothing is left out."""

import io

import pytest
from rich.console import Console

from calibrant.cli.tables import Record, Table, console

HEADINGS = ("at", "candidate", "evaluator", "tokens in", "difference")
ROWS = [
    ("2026-11-29 08:14", "gpt_4_with_examples", "exact_match", "12345", "[-0.10, +0.32]"),
    ("2026-11-29 09:00", "01a22375-872b-7002-a2b2-02fb8c11de7f", "helpfulness::judge", "7", "-"),
]


def printed(what, width):
    out = io.StringIO()
    Console(file=out, width=width, markup=False).print(what)
    return out.getvalue()


def table(rows=ROWS):
    made = Table(*HEADINGS, title="confirmations", right=("tokens in", "difference"))
    for row in rows:
        made.add_row(*row)
    return made


@pytest.mark.parametrize("width", [60, 80, 90, 100, 110, 120, 160, 1000])
def test_every_word_is_whole_and_no_line_is_too_long(width):
    text = printed(table(), width)
    for word in [*" ".join(HEADINGS).split(), *" ".join(map(" ".join, ROWS)).split(), "confirmations"]:
        assert word in text, word
    assert max(map(len, text.splitlines())) <= width
    assert text.count("exact_match") == 1


def test_numbers_and_intervals_stay_on_one_line():
    for width in range(50, 160):
        text = printed(table(), width)
        assert "[-0.10, +0.32]" in text
        assert ROWS[1][1] in text


def test_columns_stand_side_by_side_where_their_words_fit_and_are_told_line_by_line_where_not():
    lines = printed(table(), 1000).splitlines()
    assert [line for line in lines if "gpt_4" in line and "exact_match" in line and "[-0.10, +0.32]" in line]
    narrow = printed(table(), 80).splitlines()
    assert "candidate   gpt_4_with_examples" in [line.rstrip() for line in narrow]
    assert [line.split()[0] for line in narrow if line.strip()] == ["confirmations", "at", "candidate", "evaluator",
        "tokens", "difference", "at", "candidate", "evaluator", "tokens", "difference"]  # fmt: skip


def test_rules_are_left_out_where_the_words_fit_without_them():
    made = Table(*"abcdefghij", right="bcdefghij")
    made.add_row(*["123456"] * 10)
    assert "│" in printed(made, 91)
    tight = printed(made, 80).splitlines()
    assert [line.split() for line in tight] == [list("abcdefghij"), ["123456"] * 10]
    assert len(printed(made, 77).splitlines()) > 9


def test_a_long_text_wraps_between_words_beside_a_short_one():
    made = Table("check", "what to do")
    made.add_row("disk", " ".join(["room"] * 60))
    text = printed(made, 80)
    assert text.count("room") == 60
    assert text.count("disk") == 1
    assert "┃" in text


def test_only_a_word_longer_than_the_line_goes_on_in_the_next():
    text = printed(Record([("path", "/a" * 60), ("is", "here")]), 80)
    assert "".join(text.split()) == "path" + "/a" * 60 + "ishere"
    assert printed(Table("a", "b"), 80).split() != []


def test_a_row_has_a_cell_below_each_heading():
    with pytest.raises(ValueError, match="1 cells below 2 headings"):
        Table("a", "b").add_row("1")


def test_a_pipe_is_as_wide_as_its_lines(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    console().print("word " * 100)
    assert len(capsys.readouterr().out.splitlines()) == 1
    monkeypatch.setenv("COLUMNS", "0")
    console().print("word " * 100)
    assert len(capsys.readouterr().out.splitlines()) == 1
    monkeypatch.setenv("COLUMNS", "50")
    console().print("word " * 100)
    assert len(capsys.readouterr().out.splitlines()) == 10
