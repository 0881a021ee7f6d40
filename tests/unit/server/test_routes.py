"""The route table."""

import asyncio

import pytest

from calibrant.base.errors import ConfigError, InvalidRequest, MethodNotAllowed, NotFound
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.routes import Route, Router


async def handler(_):
    return Answer(200, b"")


def router(*rows, base_path=""):
    return Router([Route(*row.split(), handler, "A test's.") for row in rows], base_path)


def test_fixed_and_templated_paths():
    table = router("GET /a", "POST /a", "GET /a/{id}", "GET /a/count", "GET /a/{id}/b/{other}")
    assert table.match("POST", "/a")[0].method == "POST"
    assert table.match("GET", "/a/7") == (table.routes[2], {"id": "7"})
    assert table.match("GET", "/a/count")[0].path == "/a/count"
    assert table.match("GET", "/a/x%2Fy/b/%C3%A9")[1] == {"id": "x/y", "other": "é"}
    assert table.match("GET", "/%61")[0].path == "/a"
    assert table.match("HEAD", "/a")[0].method == "GET"


@pytest.mark.parametrize("path", ["/", "/b", "/a/", "/a/1/", "/a/1/b", "//a", "", "*"])
def test_unknown_paths(path):
    table = router("GET /a", "GET /a/{id}", "GET /a/{id}/b/{other}")
    error = MethodNotAllowed if path == "*" else NotFound
    with pytest.raises(error):
        table.match("GET", path)


def test_messages_say_what_was_asked_and_what_would_do():
    table = router("GET /a", "POST /a")
    with pytest.raises(NotFound, match="^Route not found: GET /b$"):
        table.match("GET", "/b")
    with pytest.raises(MethodNotAllowed, match="DELETE /a; use GET, HEAD, OPTIONS, POST"):
        table.match("DELETE", "/a")
    assert table.allowed("/a") == ("GET", "HEAD", "OPTIONS", "POST")
    assert table.allowed("/b") == ()
    with pytest.raises(MethodNotAllowed):
        router("POST /a").match("HEAD", "/a")


def test_options_is_answered_unless_the_table_does():
    table = router("GET /a/{id}")
    route, _ = table.match("OPTIONS", "/a/1")
    answer = asyncio.run(route.handler(HttpRequest("OPTIONS", "/a/1")))
    assert answer.status == 204 and dict(answer.headers)["allow"] == "GET, HEAD, OPTIONS"
    own = router("OPTIONS /a", "GET /a")
    assert own.match("OPTIONS", "/a")[0] is own.routes[0]


def test_a_base_path_is_put_before_every_route():
    table = router("GET /a", "GET /b/{id}", base_path="/gw/")
    assert table.base_path == "/gw" and table.error_shape("/gw/openai/v1/nothing") == "openai"
    assert table.match("GET", "/gw/a")[0].path == "/a"
    assert table.match("GET", "/gw/b/1")[1] == {"id": "1"}
    assert table.match("OPTIONS", "/gw/b/1")[0].path == "/b/{id}"
    with pytest.raises(NotFound):
        table.match("GET", "/a")


def test_a_table_that_contradicts_itself():
    with pytest.raises(ConfigError, match="GET /a is defined twice"):
        router("GET /a", "GET /a")
    with pytest.raises(ConfigError, match="base_path"):
        router("GET /a", base_path="gw")


@pytest.mark.parametrize("path", ["/a/%", "/a/%4", "/a/%g0", "/a/%00", "/a/%ff"])
def test_bad_escapes(path):
    with pytest.raises(InvalidRequest):
        router("GET /a/{id}").match("GET", path)
