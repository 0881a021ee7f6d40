"""Exports as they come: the same lines however the bytes are cut, and never a part for the whole."""

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.client import BadReply, BadRequest, ConnectionLost
from calibrant.client.call import Call
from calibrant.client.lines import LineDecoder
from calibrant.client.retry import Failed

CALL = Call(method="GET", path="/x", read=bytes)
ID = "01a22375-872b-7002-a2b2-02fb8c11de7f"


@given(st.lists(st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"") + b"\n")), st.data())
def test_every_cut_gives_the_same_lines(lines, data):
    whole, found = b"".join(lines), []
    decoder = LineDecoder(CALL, {})
    while whole:
        at = data.draw(st.integers(1, len(whole)))
        piece, whole = whole[:at], whole[at:]
        found += decoder.feed(piece)
    decoder.close()
    assert found == lines


def test_what_breaks_off_is_no_export():
    decoder = LineDecoder(CALL, {"x-request-id": "r"}, max_line=4)
    assert list(decoder.feed(b"{}\n{")) == [b"{}\n"]
    with pytest.raises(ConnectionLost, match="middle of a line") as lost:
        decoder.close()
    assert lost.value.request_id == "r"
    with pytest.raises(ConnectionLost):
        decoder.broke(Failed("broken", "gone"))
    with pytest.raises(BadReply, match="longer than 4 bytes"):
        list(decoder.feed(b"12345"))


@pytest.mark.parametrize(("told", "following"), [("17", 17), ("", None), ("x", None), ("²", None)])
def test_where_the_next_export_goes_on(told, following):
    assert LineDecoder(CALL, {"calibrant-export-next": told}).following == following


def test_lines_of_both_clients(connect):
    seen = []

    def gateway(request):
        seen.append(request)
        return httpx2.Response(200, headers={"calibrant-export-next": "7"}, content=b'{"a":1}\n{"b":2}\n')

    client = connect(gateway, base_url="http://g.test")
    filters = {"type": "tag", "key": "k", "value": "v", "comparison_operator": "="}
    asked = {"format": "chat", "filters": filters, "include_failed": True, "model_inferences": False, "after": 0}
    assert client.lines("export_inferences", episode_id=ID, **asked) == ([b'{"a":1}\n', b'{"b":2}\n'], 7)
    assert seen[0].url.path == "/v1/inferences/export"
    query = dict(seen[0].url.params)
    assert msgspec.json.decode(query.pop("filters")) == filters
    assert query == {
        "format": "chat",
        "episode_id": ID,
        "include_failed": "true",
        "model_inferences": "false",
        "after": "0",
    }
    client.lines("export_dataset", dataset_name="a b", version=0, variant_name="v")
    assert seen[1].url.raw_path == b"/v1/datasets/a%20b/export?version=0&variant_name=v"


def test_lines_may_be_left_before_their_end(connect):
    closed = []

    class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
        def __iter__(self):
            yield from (b"1\n", b"2\n")

        async def __aiter__(self):
            for each in self:
                yield each

        def close(self):
            closed.append(True)

        async def aclose(self):
            closed.append(True)

    client = connect(lambda request: httpx2.Response(200, stream=Body()))
    assert client.lines("export_inferences", limit=1) == ([b"1\n"], None)
    assert closed == [True]


def test_an_export_that_is_refused(connect):
    client = connect(lambda request: httpx2.Response(400, json={"error": "Wrong"}))
    with pytest.raises(BadRequest, match="Wrong"):
        client.lines("export_inferences")


def test_lines_that_go_in(connect):
    seen = []

    def gateway(request):
        seen.append(request)
        return httpx2.Response(200, json={"num_imported_datapoints": 2})

    client = connect(gateway)
    mixed = [b'{"a":1}\r\n', {"b": 2}, b'{"c":3}']
    assert client.call("import_dataset", dataset_name="d", lines=mixed).num_imported_datapoints == 2
    client.call("import_dataset", dataset_name="d", lines=b"{}", format="chat", function_name="f")
    assert [request.content for request in seen] == [b'{"a":1}\n{"b":2}\n{"c":3}\n', b"{}"]
    assert {request.headers["content-type"] for request in seen} == {"application/jsonl"}
    assert seen[1].url.raw_path == b"/v1/datasets/d/import?format=chat&function_name=f"


@pytest.mark.parametrize("name", ["erase", "plan_erasure"])
def test_an_erasure_is_of_a_tag_or_of_an_episode(connect, name):
    client = connect(lambda request: httpx2.Response(500))
    for given_ in ({}, {"tag": ("k", "v"), "episode_id": ID}):
        with pytest.raises(ValueError, match="one of the two"):
            client.call(name, **given_)
