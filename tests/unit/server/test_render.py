"""The bytes of an answer."""

from calibrant.server.http import Answer, StreamAnswer
from calibrant.server.render import CLOSE, KEEP, Renderer, chunk


async def nothing():
    return
    yield b""


def test_a_whole_answer_to_the_byte():
    data = Renderer((("x-v", "1"),)).whole(Answer(201, b"{}", headers=(("x-a", "b"),)), CLOSE)
    lines = data.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 201 Created"
    assert lines[1:4] == [b"content-type: application/json", b"x-v: 1", b"x-a: b"]
    assert lines[4].startswith(b"date: ")
    assert lines[5:] == [b"connection: close", b"content-length: 2", b"", b"{}"]


def test_answers_of_one_kind_share_a_head_and_others_do_not():
    renderer = Renderer(())
    first = renderer.whole(Answer(200, b"a"), KEEP)
    assert renderer.whole(Answer(200, b"bb"), KEEP).endswith(b"content-length: 2\r\n\r\nbb") and first.endswith(
        b"\r\na"
    )
    assert b"404 Not Found" in renderer.whole(Answer(404, b""), KEEP)
    assert b"text/plain" in renderer.whole(Answer(200, b"", "text/plain"), KEEP)
    for number in range(2000):
        assert f"x-id: {number}\r\n".encode() in renderer.whole(
            Answer(200, b"", headers=(("x-id", str(number)),)), KEEP
        )


def test_an_answer_may_override_what_each_answer_carries():
    renderer = Renderer((("x-v", "1"),))
    answer = StreamAnswer(nothing(), headers=(("Cache-Control", "no-store"), ("X-V", "2")))
    head = renderer.head(answer, KEEP, chunked=True)
    assert head.lower().count(b"cache-control") == 1 and head.lower().count(b"x-v") == 1
    assert head.endswith(b"transfer-encoding: chunked\r\n\r\n")


def test_no_body_no_length():
    data = Renderer(()).whole(Answer(204, b""), KEEP)
    assert b"content-" not in data and data.endswith(b"\r\n\r\n")


def test_a_status_that_has_no_name():
    assert Renderer(()).whole(Answer(299, b""), KEEP).startswith(b"HTTP/1.1 299 \r\n")


def test_chunks():
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
