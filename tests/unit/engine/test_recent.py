from tests.support.records import inference

from calibrant.engine.recent import Recent


def row(id_, size=0):
    return inference(id=id_, input=b"x" * size, output=None, tool_params=None)


def test_the_oldest_goes_first():
    recent = Recent(entries=2)
    for name in "abc":
        recent.keep(row(name))
    assert [recent.find(name) is not None for name in "abc"] == [False, True, True]


def test_it_holds_no_more_bytes_than_it_may():
    recent = Recent(most_bytes=10_000)
    recent.keep(row("a", 5_000))
    recent.keep(row("b", 5_000))
    recent.keep(row("huge", 20_000))
    assert [recent.find(name) is not None for name in ("a", "b", "huge")] == [False, True, False]


def test_a_row_that_is_kept_twice_counts_once():
    recent = Recent(most_bytes=10_000)
    for _ in range(5):
        recent.keep(row("a", 5_000))
    recent.keep(row("b", 2_000))
    assert recent.find("a") is not None
    assert recent.find("b") is not None
