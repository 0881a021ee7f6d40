"""The route table and how a request finds its route. Knows no handler and no socket.

A path without `{names}` is found by one dictionary look-up. `HEAD` is answered by the `GET` route, and `OPTIONS`
by a list of what is allowed, unless the table says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from calibrant.base.errors import ConfigError, InvalidRequest, MethodNotAllowed, NotFound
from calibrant.server.http import Answer, Handler, HttpRequest
from calibrant.server.target import decode_segment
from calibrant.types.key import ROLES, Role
from calibrant.wire.error import ErrorShape

__all__ = ["OPEN", "Route", "Router"]

OPEN: Final[frozenset[Role]] = frozenset()
"""The roles of a route that wants no key."""

_ADMIN: Final[frozenset[Role]] = frozenset(("admin",))
_ANY: Final = frozenset(ROLES)
_NO_PARAMS: dict[str, str] = {}


class Route(Struct, frozen=True):
    """One row of the table."""

    method: str
    path: str
    """Below the base path; a segment such as `{id}` matches any one segment."""
    handler: Handler
    summary: str
    """One sentence for the documentation."""
    errors: ErrorShape = "native"
    """In whose dialect its errors are told."""
    roles: frozenset[Role] = _ADMIN
    """Any of these opens it, and so does `admin`, where keys are asked for."""


class _Pattern(Struct, frozen=True):
    """A path and the routes that stand under it, by method."""

    segments: tuple[str, ...]
    routes: dict[str, Route]

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """Return the values of the `{names}`, or None where the path is another."""
        params: dict[str, str] = {}
        for mine, theirs in zip(self.segments, segments, strict=True):
            if mine[:1] == "{":
                if not theirs:
                    return None
                params[mine[1:-1]] = theirs
            elif mine != theirs:
                return None
        return params


class Router:
    """Finds the route of a request."""

    __slots__ = ("_fixed", "_patterns", "base_path", "routes")

    def __init__(self, routes: Iterable[Route], base_path: str = "") -> None:
        """Build the table.

        Raises:
            ConfigError: a method and path occur twice, or the base path does not start with a slash.
        """
        base_path = base_path.rstrip("/")
        if base_path and not base_path.startswith("/"):
            raise ConfigError(f"gateway.base_path: {base_path!r} must start with `/`")
        self.base_path = base_path
        self.routes = tuple(routes)
        self._fixed: dict[str, dict[str, Route]] = {}
        self._patterns: dict[int, list[_Pattern]] = {}
        for route in self.routes:
            self._add(route)
        self._add_options()

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and the values of its `{names}`.

        Raises:
            NotFound: no route has this path.
            MethodNotAllowed: the path exists, the method does not.
            InvalidRequest: the path has a malformed percent-escape.
        """
        routes = self._fixed.get(path)
        params = _NO_PARAMS
        if routes is None:
            routes, params = self._search(path)
        route = routes.get(method) if routes else None
        if route is not None:
            return route, params
        if not routes:
            raise NotFound(f"Route not found: {method} {path}")
        if method == "HEAD" and "GET" in routes:
            return routes["GET"], params
        raise MethodNotAllowed(f"Method not allowed: {method} {path}; use {', '.join(_allowed(routes))}")

    def allowed(self, path: str) -> tuple[str, ...]:
        """Return the methods that a path answers, sorted; none where there is no such path."""
        routes = self._fixed.get(path) or self._search(path)[0]
        return _allowed(routes) if routes else ()

    def error_shape(self, path: str) -> ErrorShape:
        """Return in whose dialect a path's errors are told; below `/openai/` that is OpenAI's for any path."""
        if path.startswith(f"{self.base_path}/openai/"):
            return "openai"
        try:
            routes = self._fixed.get(path) or self._search(path)[0] or {}
        except InvalidRequest:
            return "native"
        for route in routes.values():
            return route.errors
        return "native"

    def _search(self, path: str) -> tuple[dict[str, Route] | None, dict[str, str]]:
        segments = [decode_segment(segment) for segment in path.split("/")]
        for pattern in self._patterns.get(len(segments), ()):
            params = pattern.match(segments)
            if params is not None:
                return pattern.routes, params
        return None, _NO_PARAMS

    def _add(self, route: Route) -> None:
        path = self.base_path + route.path
        segments = tuple(path.split("/"))
        same = self._patterns.setdefault(len(segments), [])
        pattern = next((old for old in same if old.segments == segments), None)
        if pattern is None:
            pattern = _Pattern(segments, {})
            same.append(pattern)
            # A literal segment is tried before a name in its place: `/runs/count` before `/runs/{id}`.
            same.sort(key=lambda each: [segment[:1] == "{" for segment in each.segments])
        if route.method in pattern.routes:
            raise ConfigError(f"the route {route.method} {path} is defined twice")
        pattern.routes[route.method] = route
        if "{" not in path:
            self._fixed[path] = pattern.routes

    def _add_options(self) -> None:
        everything: set[str] = {"OPTIONS"}
        for patterns in self._patterns.values():
            for pattern in patterns:
                if "OPTIONS" not in pattern.routes:
                    name = "/".join(pattern.segments).removeprefix(self.base_path)
                    pattern.routes["OPTIONS"] = _options(name, _allowed(pattern.routes), _shared(pattern.routes))
                everything.update(_allowed(pattern.routes))
        self._fixed["*"] = {"OPTIONS": _options("*", tuple(sorted(everything)), _ANY)}


def _allowed(routes: dict[str, Route]) -> tuple[str, ...]:
    methods = {*routes, "OPTIONS"}
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted(methods))


def _shared(routes: dict[str, Route]) -> frozenset[Role]:
    """Return who may ask what a path answers: whoever may ask it anything."""
    if any(not route.roles for route in routes.values()):
        return OPEN
    return frozenset(role for route in routes.values() for role in route.roles)


def _options(path: str, allowed: tuple[str, ...], roles: frozenset[Role]) -> Route:
    answer = Answer(204, b"", headers=(("allow", ", ".join(allowed)),))

    async def options(_: HttpRequest) -> Answer:
        return answer

    return Route("OPTIONS", path, options, "Says which methods the path answers.", roles=roles)
