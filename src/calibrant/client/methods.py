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

    def lines(self, call: Call[T]) -> Lines[T]:
        """Make the call and return its lines."""
        ...


class AsyncLineRunner(Protocol):
    """The same, awaited."""

    async def lines(self, call: Call[T]) -> AsyncLines[T]:
        """Make the call and return its lines."""
        ...


def lines_method(build: Callable[P, Call[T]]) -> Callable[Concatenate[Any, P], Lines[T]]:
    """Return the method of a client that streams what the call answers, line by line."""

    def made(self: LineRunner, *args: P.args, **kwargs: P.kwargs) -> Lines[T]:
        return self.lines(build(*args, **kwargs))

    return _dressed(made, build, "Lines[{}]")


def lines_method_async(
    build: Callable[P, Call[T]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, AsyncLines[T]]]:
    """Return the method of an asynchronous client that streams what the call answers, line by line."""

    async def made(self: AsyncLineRunner, *args: P.args, **kwargs: P.kwargs) -> AsyncLines[T]:
        return await self.lines(build(*args, **kwargs))

    return _dressed(made, build, "AsyncLines[{}]")


F = TypeVar("F", bound=Callable[..., Any])


def _dressed(made: F, build: Callable[..., Any], answer: str = "{}") -> F:
    made.__name__, made.__doc__ = build.__name__, build.__doc__
    made.__qualname__ = build.__name__
    signature = inspect.signature(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    returned = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    # What `help` shows.
    shown = signature.replace(
        parameters=[itself, *signature.parameters.values()],
        return_annotation=answer.format(returned),
    )
    made.__signature__ = shown
    return made
