from __future__ import annotations

import pytest

from calibrant.providers.think import ThinkSplitter


def split(*pieces: str) -> tuple[str, str]:
    splitter = ThinkSplitter()
    found = [pair for piece in pieces for pair in splitter.feed(piece)] + splitter.close()
    assert all(text for _, text in found)
    return "".join(t for k, t in found if k == "thought"), "".join(t for k, t in found if k == "text")


@pytest.mark.parametrize(
    ("text", "thought", "rest"),
    [
        ("<think>a</think>b", "a", "b"),
        ("<think>\na b\n\n</think>\n\n b \n", "a b", "b \n"),
        ("  \n<think>a</think>b", "a", "b"),
        ("plain", "", "plain"),
        ("  plain", "", "  plain"),
        ("see <think>a</think>", "", "see <think>a</think>"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("<think>\n\n</think>\n\nb", "", "b"),
        ("<think></think>", "", ""),
        ("<think>a", "a", ""),
        ("<think>a </thin", "a </thin", ""),
        ("<think>a </think", "a </think", ""),
        ("<think>  ", "", ""),
        ("<think>a < b </ c </think> d", "a < b </ c", "d"),
        ("<think>a<</think>b", "a<", "b"),
        ("<thinking>a", "", "<thinking>a"),
        ("<thin", "", "<thin"),
        ("<", "", "<"),
        ("", "", ""),
        ("   ", "", "   "),
    ],
)
def test_the_parts_are_the_same_for_every_cut(text: str, thought: str, rest: str) -> None:
    assert split(text) == (thought, rest)
    assert split(*text) == (thought, rest)
    for i in range(len(text) + 1):
        for j in range(i, len(text) + 1):
            assert split(text[:i], text[i:j], text[j:]) == (thought, rest)


def test_nothing_is_held_that_is_certain() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("<think>Hm") == [("thought", "Hm")]
    assert splitter.feed(", well") == [("thought", ", well")]
    assert splitter.feed(".\n") == [("thought", ".")]
    assert splitter.feed("Then") == [("thought", "\nThen")]
    assert splitter.feed("</think>") == []
    assert splitter.feed("\n\nYes") == [("text", "Yes")]
    assert splitter.feed(" \n") == [("text", " \n")]
