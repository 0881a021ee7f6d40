"""The page of the documentation: whole by itself, and nothing in it is taken for HTML that is not."""

import asyncio
import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser
from unittest.mock import MagicMock

import msgspec
import pytest
from tests.unit.server.test_access import bare_routes
from tests.unit.server.test_described import build, operations

from calibrant.config.schema import Gateway
from calibrant.server import reference as module
from calibrant.server.http import HttpRequest
from calibrant.server.page import CONTENT_SECURITY_POLICY, render_page
from calibrant.server.reference import Reference


class Reader(HTMLParser):
    """Tags, ids and addresses of a page; fails where a tag is not closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links = [], set(), [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        for name, value in attrs:
            assert name not in ("src", "style") and not name.startswith("on"), name
            if name == "id":
                self.ids.append(value)
            elif name == "href":
                self.links.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page():
    return render_page(build("/gw"))


def test_it_needs_nothing_from_elsewhere(page):
    read = Reader(page)
    assert not read.tags & {"script", "img", "link", "iframe", "form", "svg", "object", "base"}
    assert "@import" not in page
    assert "url(" not in page
    assert all(link.startswith("#") or link == "openapi.json" for link in read.links)


def test_every_link_leads_somewhere(page):
    read = Reader(page)
    assert len(read.ids) == len(set(read.ids))
    assert {link[1:] for link in read.links if link.startswith("#")} <= set(read.ids)


def test_every_route_and_every_schema_is_on_it(page):
    document = build()
    ids = set(Reader(page).ids)
    for name, operation in operations(document):
        assert operation["operationId"] in ids
        assert f" /gw{name.split(' ')[1]}</h3>" in page
        assert f"http://localhost:3000/gw{name.split(' ')[1]}" in page
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= ids


def test_examples_can_be_copied(page):
    shown = re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)
    assert len(shown) == len(bare_routes())
    assert "-X DELETE" in page
    assert "Bearer $CALIBRANT_API_KEY" in page
    assert "Bearer $CALIBRANT_API_KEY" not in render_page(build(keys_asked=False))
    assert "/gw/internal/object_storage?storage_path=...&#x27;" in page


def test_the_style_alone_is_let_through(page):
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_text_is_never_html():
    table = bare_routes()
    status = next(at for at, route in enumerate(table) if route.path == "/status")
    table[status] = msgspec.structs.replace(table[status], summary="<script>alert('1')</script> of `<b>`")
    shown = render_page(build('/"><script>', table=table))
    assert "script" not in Reader(shown).tags
    assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; of <code>&lt;b&gt;</code>" in shown


def asked(reference, name):
    return asyncio.run(getattr(reference, name)(HttpRequest("GET", "/")))


def test_both_are_made_once_and_only_when_somebody_asks(monkeypatch):
    made = MagicMock(side_effect=module.build_document)
    monkeypatch.setattr(module, "build_document", made)
    reference = Reference(Gateway(base_path="/gw"))
    reference.tell_of(bare_routes())
    assert made.call_count == 0
    document, page = asked(reference, "document"), asked(reference, "page")
    assert asked(reference, "document") is document
    assert asked(reference, "page") is page
    assert made.call_count == 1
    assert msgspec.json.decode(document.body)["servers"] == [{"url": "/gw"}]
    assert page.content_type == "text/html; charset=utf-8"
    assert ("content-security-policy", CONTENT_SECURITY_POLICY) in page.headers
