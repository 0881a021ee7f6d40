"""Handlers of the API's own description: the OpenAPI document, and a page that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from calibrant import __version__
from calibrant.config.schema import Gateway
from calibrant.server.described import DESCRIBED
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.openapi import build_document
from calibrant.server.page import CONTENT_SECURITY_POLICY, render_page
from calibrant.server.routes import Route

__all__ = ["Reference"]

_PAGE_HEADERS = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)


class Reference:
    """Describes the routes. Both answers are made when somebody first asks, in a thread, and kept."""

    __slots__ = ("_document", "_gateway", "_page", "_routes")

    def __init__(self, gateway: Gateway) -> None:
        """Keep where the gateway stands, and whether it asks for keys."""
        self._gateway = gateway
        self._routes: Sequence[Route] = ()
        self._document: Answer | None = None
        self._page: Answer | None = None

    def tell_of(self, routes: Sequence[Route]) -> None:
        """Take the table of routes, those of this class among them."""
        self._routes = routes

    async def document(self, _: HttpRequest) -> Answer:
        """`GET /openapi.json`."""
        if self._document is None:
            await self._make()
        assert self._document is not None
        return self._document

    async def page(self, _: HttpRequest) -> Answer:
        """`GET /docs`."""
        if self._page is None:
            await self._make()
        assert self._page is not None
        return self._page

    async def _make(self) -> None:
        # Two who ask at once both have it made: the answers are the same.
        document, page = await asyncio.to_thread(self._made)
        self._document = Answer(200, document)
        self._page = Answer(200, page, content_type="text/html; charset=utf-8", headers=_PAGE_HEADERS)

    def _made(self) -> tuple[bytes, bytes]:
        document = build_document(
            self._routes,
            version=__version__,
            base_path=self._gateway.base_path,
            keys_asked=self._gateway.auth.enabled,
            described=DESCRIBED,
        )
        return msgspec.json.encode(document), render_page(document).encode()
