"""What the ledger says for a group."""

from calibrant.datasets.splitting import group_mark, place_of


def test_a_mark_is_the_same_for_the_same_salt_and_key_and_shows_neither():
    mark = group_mark("salt", "tag::user_id=somebody")
    assert mark == group_mark("salt", "tag::user_id=somebody") and len(mark) == 32
    assert int(mark, 16) and "somebody" not in mark
    others = {group_mark("pepper", "tag::user_id=somebody"), group_mark("salt", "tag::user_id=somebody else")}
    assert len(others | {mark}) == 3
    assert group_mark("salt", "\ud800")


def test_a_mark_does_not_tell_the_place():
    # Both are made with one salt; a line of the ledger must not be where the hash of a split begins.
    keys = [str(number) for number in range(500)]
    same = sum(int(group_mark("salt", key)[:16], 16) % 100 == place_of("salt", key) for key in keys)
    assert same < 20
