"""What an erasure is asked for with."""

import pytest

from calibrant.base.errors import InvalidRequest
from calibrant.types.erasure import Whose
from calibrant.wire.erasure import decode_erasure

EPISODE = "0196e6f4-0000-7000-8000-000000000000"


def test_a_tag_or_an_episode():
    assert decode_erasure(b'{"tag":{"key":"a","value":"b"}}') == (Whose(tag=("a", "b")), False)
    told = decode_erasure(b'{"episode_id":"%b","plan":true}' % EPISODE.upper().encode())
    assert told == (Whose(episode_id=EPISODE), True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "name one of the two"),
        (b'{"episode_id":"%b","tag":{"key":"a","value":"b"}}' % EPISODE.encode(), "name one of the two"),
        (b'{"tag":{"key":"","value":"b"}}', "may be empty"),
        (b'{"tag":{"key":"a","value":""}}', "may be empty"),
        (b'{"episode_id":"x"}', "is no UUID"),
        (b'{"tag":{"key":"a"}}', "$.tag"),
        (b'{"tags":{}}', "tags"),
        (b'{"plan":1}', "$.plan"),
        (b"", "not valid JSON"),
    ],
)
def test_anything_else_is_refused(body, said):
    with pytest.raises(InvalidRequest) as caught:
        decode_erasure(body)
    assert said in caught.value.message
