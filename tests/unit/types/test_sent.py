import pytest
from msgspec import Raw

from calibrant.types.sent import Sent, SentMessage

SENT = Sent("openai_responses", "m", {"a": Raw(b'{"x":1.50,"y":2}'), "b": Raw(b"null")}, ())


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (set(), {"a": b'{"x":1.50,"y":2}', "b": b"null"}),
        ({"a"}, {"b": b"null"}),
        ({"a.y", "c.d", "b.x"}, {"a": b'{"x":1.50}', "b": b"null"}),
        ({"a", "a.y"}, {"b": b"null"}),
    ],
)
def test_fields_go_whole_or_by_key(names, left):
    assert {name: bytes(raw) for name, raw in SENT.without_fields(names).fields.items()} == left


def test_messages_move_or_go():
    messages = (SentMessage(b"0", 0), SentMessage(b"1", 1), SentMessage(b"s", None), SentMessage(None, 2))
    moved = Sent("openai_chat", "m", {}, messages).moved({0: 4, 2: 5})
    assert moved.messages == (SentMessage(b"0", 4), SentMessage(b"s", None), SentMessage(None, 5))
