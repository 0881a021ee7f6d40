"""Request targets."""

import pytest

from calibrant.base.errors import InvalidRequest
from calibrant.server.target import decode_segment, split_target


@pytest.mark.parametrize(
    ("raw", "path", "query", "authority"),
    [
        (b"/", "/", "", None),
        (b"/a/b?c=%20&d=?e", "/a/b", "c=%20&d=?e", None),
        (b"/%2e%2e/a", "/%2e%2e/a", "", None),
        (b"*", "*", "", None),
        (b"http://h", "/", "", "h"),
        (b"http://h?q", "/", "q", "h"),
        (b"https://u@h:1/a?q", "/a", "q", "u@h:1"),
        (b"//a", "//a", "", None),
    ],
)
def test_targets(raw, path, query, authority):
    assert split_target(raw) == (path, query, authority)


@pytest.mark.parametrize("raw", [b"", b"a", b"h:443", b"ftp://h/", b"http:///a", b"/a#b", b"/\xe9"])
def test_what_is_no_target(raw):
    with pytest.raises(InvalidRequest):
        split_target(raw)


def test_segments():
    assert decode_segment("a+b") == "a+b"
    assert decode_segment("%2F%25%C3%A9") == "/%é"
    for bad in ("%", "%a", "%zz", "%00", "%C3"):
        with pytest.raises(InvalidRequest):
            decode_segment(bad)
