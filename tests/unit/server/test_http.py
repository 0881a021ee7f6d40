"""Answers as values."""

import pytest

from calibrant.base.errors import InternalError
from calibrant.server.http import Answer, HttpRequest, StreamAnswer


async def nothing():
    return
    yield b""


@pytest.mark.parametrize("field", [("x\r\ny", "1"), ("x", "1\r\nset-cookie: a"), ("x", "a\0"), ("", "a"), ("x", "€")])
def test_a_field_cannot_break_out_of_its_line(field):
    with pytest.raises(InternalError):
        Answer(200, b"", headers=(field,))
    with pytest.raises(InternalError):
        StreamAnswer(nothing(), headers=(field,))
    with pytest.raises(InternalError):
        StreamAnswer(nothing(), trailer=field[0], told=lambda: field[1]).trailers()


def test_fields_that_are_fine():
    assert Answer(200, b"", headers=(("X-A_b", "é\t; q=1"),)).headers


def test_requests_share_nothing():
    one, other = HttpRequest("GET", "/"), HttpRequest("GET", "/")
    one.headers["a"] = one.params["a"] = "b"
    assert not other.headers and not other.params
