"""Whether an API key may use a function or a model. Only asked where the key has a list.

Thrice: of the request, before anything is called; of each variant when its turn comes; and of each model that is about
to be called, so that no way of coming by a model goes past the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from calibrant.base.errors import Forbidden
from calibrant.engine.compiled import (
    CompiledBestOfN,
    CompiledChainOfThought,
    CompiledDicl,
    CompiledFunction,
    CompiledMixtureOfN,
    CompiledVariant,
    Servable,
)
from calibrant.engine.engine import Engine
from calibrant.types.key import Grants
from calibrant.types.request import InferenceRequest

__all__ = ["check_embedding_model", "check_function", "check_model", "check_models", "check_request", "check_variant"]

_CHANGES = {
    "extra_body": "extra_body",
    "extra_headers": "extra_headers",
    "provider_tools": "provider_tools",
    "dynamic_variant": "internal_dynamic_variant_config",
}
"""Fields of a request by which providers are sent something else, and their names on the wire."""


def check_request(engine: Engine, request: InferenceRequest, grants: Grants) -> None:
    """Refuse what the key may not ask for.

    Raises:
        Forbidden: the function or the model is not on its list, or the request changes what providers are sent.
    """
    function, model = request.function_name, request.model_name
    if function is not None:
        check_function(engine, function, grants)
    if model is not None and not grants.direct(model):
        raise _refused(engine, "model", f"this API key may not ask the model {model!r} directly")
    named = [name for field, name in _CHANGES.items() if getattr(request, field)]
    if request.sent is not None:
        named += request.sent.only
    if named:
        raise _refused(
            engine,
            "extra",
            f"{named[0]}: this API key has a list of what it may use, so it may not change what providers are sent, "
            "which could name another model; leave it out, or put it into the configuration",
        )


def check_function(engine: Engine, name: str, grants: Grants) -> None:
    """Refuse a function that the key may not use.

    Raises:
        Forbidden: it is not on its list.
    """
    if not grants.function(name):
        raise _refused(engine, "function", f"this API key may not use the function {name!r}")


def check_embedding_model(engine: Engine, name: str, grants: Grants) -> None:
    """Refuse to embed what the key may not have embedded.

    Raises:
        Forbidden: the embedding model is not on its list.
    """
    if not grants.direct(name):
        raise _refused(engine, "model", f"this API key may not ask the embedding model {name!r}")


def check_models(
    engine: Engine, function: CompiledFunction, order: Iterator[Servable], grants: Grants
) -> Iterator[Servable]:
    """Return the variants to try, once it is certain that one of them may be.

    One whose models are not all on the list stays among them: it is given up when its turn comes, so that the record
    says what was drawn, and why something else served.

    Raises:
        Forbidden: the key may use the models of none.
    """
    variants = list(order)
    if not any(_barred(each, grants) is None for each in variants):
        barred = {_barred(each, grants) or "" for each in variants}
        raise _refused(
            engine,
            "model",
            f"no variant of {function.function.name!r} can serve: this API key may not use the models "
            f"{', '.join(sorted(barred))}",
        )
    return iter(variants)


def check_variant(variant: Servable, grants: Grants) -> None:
    """Refuse to have a variant answer. Nothing is counted: another one may serve.

    Raises:
        Forbidden: a model that it would have called is not on the key's list.
    """
    barred = _barred(variant, grants)
    if barred is not None:
        check_model(barred, grants)


def check_model(name: str, grants: Grants) -> None:
    """Refuse to have a model called.

    Raises:
        Forbidden: it is not on the key's list.
    """
    if not grants.model(name):
        raise Forbidden(f"this API key may not use the model {name!r}", reason="model")


def _barred(variant: Servable, grants: Grants) -> str | None:
    """Return the first of a variant's models that the key may not use, or null where it may use all."""
    return next((name for name in _models(variant) if not grants.model(name)), None)


def _models(variant: Servable) -> Iterator[str]:
    """Yield the models that a variant calls, those of its candidates and of who judges or fuses them included."""
    match variant:
        case CompiledVariant():
            yield variant.variant.model
        case CompiledChainOfThought():
            yield from _models(variant.call)
        case CompiledDicl():
            yield variant.variant.call.model
            if variant.variant.embedding_model is not None:
                yield variant.variant.embedding_model
        case CompiledBestOfN():
            yield from _models(variant.judge)
            for candidate in variant.candidates:
                yield from _models(candidate)
        case CompiledMixtureOfN():
            yield from _models(variant.fuser)
            for candidate in variant.candidates:
                yield from _models(candidate)
        case _:
            assert_never(variant)


def _refused(engine: Engine, reason: str, message: str) -> Forbidden:
    engine.metrics.count("auth_refused", (reason,))
    return Forbidden(message, reason=reason)
