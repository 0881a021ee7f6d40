"""Methods of both clients, made of the functions that build their calls: signatures and texts stand there alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from calibrant.client.call import Call
from calibrant.client.lines import AsyncLines, Lines

__all__ = [
    "AsyncLineRunner",
    "AsyncRunner",
    "LineRunner",
    "Runner",
    "lines_method",
    "lines_method_async",
    "method",
    "method_async",
]

P = ParamSpec("P")
T = TypeVar("T")


class Runner(Protocol):
    """Makes calls, and waits."""

    def run(self, call: Call[T]) -> T:
        """Make the call and return its answer."""
        ...


class AsyncRunner(Protocol):
    """Makes calls, and is awaited."""

    async def run(self, call: Call[T]) -> T:
        """Make the call and return its answer."""
        ...


def method(build: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], T]:
    """Return the method of a client that makes the call which the function builds."""

    def made(self: Runner, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(build(*args, **kwargs))

    return _dressed(made, build)


def method_async(build: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Return the method of an asynchronous client that makes the call which the function builds."""

    async def made(self: AsyncRunner, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(build(*args, **kwargs))

    return _dressed(made, build)


class LineRunner(Protocol):
    """Makes calls whose answers are lines."""

    def lines(self, call: Call[bytes]) -> Lines:
        """Make the call and return its lines."""
        ...


class AsyncLineRunner(Protocol):
    """The same, awaited."""

    async def lines(self, call: Call[bytes]) -> AsyncLines:
        """Make the call and return its lines."""
        ...


def lines_method(build: Callable[P, Call[bytes]]) -> Callable[Concatenate[Any, P], Lines]:
    """Return the method of a client that streams what the call answers, line by line."""

    def made(self: LineRunner, *args: P.args, **kwargs: P.kwargs) -> Lines:
        return self.lines(build(*args, **kwargs))

    return _dressed(made, build, "Lines")


def lines_method_async(
    build: Callable[P, Call[bytes]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, AsyncLines]]:
    """Return the method of an asynchronous client that streams what the call answers, line by line."""

    async def made(self: AsyncLineRunner, *args: P.args, **kwargs: P.kwargs) -> AsyncLines:
        return await self.lines(build(*args, **kwargs))

    return _dressed(made, build, "AsyncLines")


F = TypeVar("F", bound=Callable[..., Any])


def _dressed(made: F, build: Callable[..., Any], answer: str | None = None) -> F:
    made.__name__, made.__doc__ = build.__name__, build.__doc__
    made.__qualname__ = build.__name__
    signature = inspect.signature(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    returned = answer or str(signature.return_annotation)
    # What `help` shows.
    shown = signature.replace(
        parameters=[itself, *signature.parameters.values()],
        return_annotation=returned.removeprefix("Call[").removesuffix("]"),
    )
    made.__signature__ = shown
    return made
