"""Methods of both clients, made of the functions that build their calls: signatures and texts stand there alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from calibrant.client.call import Call

__all__ = ["AsyncRunner", "Runner", "method", "method_async"]

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


F = TypeVar("F", bound=Callable[..., Any])


def _dressed(made: F, build: Callable[..., Any]) -> F:
    made.__name__, made.__doc__ = build.__name__, build.__doc__
    made.__qualname__ = build.__name__
    signature = inspect.signature(build)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    returned = str(signature.return_annotation)
    # What `help` shows.
    shown = signature.replace(
        parameters=[itself, *signature.parameters.values()],
        return_annotation=returned.removeprefix("Call[").removesuffix("]"),
    )
    made.__signature__ = shown
    return made
