"""However the bytes of a request are cut, it is the same request; whatever is sent, the server lives."""

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.server.edge import GET, close, edge, parse, post, run

from calibrant.base.errors import RequestError
from calibrant.server.reader import RequestReader
from calibrant.server.settings import ServerSettings

TOKEN = st.text("abcXYZ09-_", min_size=1, max_size=12)
VALUE = st.text("abc 0;=,\"'\xe9", max_size=20)


@st.composite
def requests(draw):
    """One valid request, as bytes."""
    method = draw(st.sampled_from(["GET", "POST", "DELETE"]))
    target = "/" + draw(st.text("ab/%20?=&", max_size=10)).replace("%", "%41")
    names = draw(st.lists(TOKEN, max_size=5))
    fields = "".join(f"x-{name}: {draw(VALUE)}\r\n" for name in names)
    if draw(st.booleans()):
        fields += "Connection: upgrade\r\nUpgrade: h2c\r\n"
    head = f"{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}".encode("latin-1")
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    if draw(st.booleans()):
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        trailer = draw(st.sampled_from([b"", b"x-trailer: 1\r\n"]))
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n" + trailer + b"\r\n"
    body = b"".join(pieces)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def read(pieces):
    """Return all that a reader makes of some pieces, and the error that ended it."""
    got = []
    reader = RequestReader(ServerSettings(), lambda *delivered: got.append(delivered))
    for piece in pieces:
        try:
            reader.feed(piece)
        except RequestError as error:
            return got, (type(error), error.message)
    return got, None


def cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 4000), max_size=12))
def test_a_pipeline_reads_the_same_however_it_is_cut(sent, places):
    data = b"".join(sent)
    whole, error = read([data])
    assert error is None and len(whole) == len(sent)
    assert read(cut(data, places)) == (whole, None)


@settings(max_examples=20)
@given(st.lists(requests(), min_size=1, max_size=3))
def test_a_pipeline_reads_the_same_byte_by_byte(sent):
    data = b"".join(sent)
    assert read([data[at : at + 1] for at in range(len(data))]) == read([data])


SEEDS = (
    GET,
    post("/echo", b"body", "Content-Encoding: gzip"),
    b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
)


@st.composite
def spoiled(draw):
    """A request with some bytes changed, taken out or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS)) * draw(st.integers(1, 2)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"\n", b"\r", b"\0", b" ", b":", b"\xff", b"9", b"-"]) | st.binary(max_size=3)
        )
    return bytes(data)


@settings(max_examples=300)
@given(st.binary(max_size=200) | spoiled(), st.lists(st.integers(0, 400), max_size=4))
def test_garbage_is_refused_or_read_but_never_more_than_that(data, places):
    whole, error = read([data])
    cut_up, cut_error = read(cut(data, places))
    assert [request for request, _, _ in cut_up] == [request for request, _, _ in whole]
    assert (error is None) == (cut_error is None)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=120) | spoiled(), min_size=5, max_size=10))
@example([b"\0" * 100, b"GET", b"\r\n\r\n", b"G", b"POST / HTTP/1.1\r\n"])
def test_the_server_outlives_what_is_thrown_at_it(attacks):
    async def main():
        async with edge(linger_s=0.05) as served:
            for attack in attacks:
                await served.talk(attack)
                assert (await served.ask(GET)).status == 200
            assert not served.world.errors

    run(main())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=6))
def test_the_server_answers_the_same_however_the_requests_are_cut(places):
    data = GET + post("/echo", b"x" * 300) + b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" + SEEDS[2] + GET

    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            for piece in cut(data, places):
                writer.write(piece)
                await asyncio.sleep(0.0005)
            writer.write_eof()
            got = await reader.read()
            await close(writer)
            return got

    replies = parse(run(main()))
    assert [reply.body for reply in replies] == [
        b'{"ok":true}',
        b"x" * 300,
        b"data: 0\n\ndata: 1\n\ndata: 2\n\n",
        b"abc",
        b'{"ok":true}',
    ]
