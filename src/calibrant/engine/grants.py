"""Whether an API key may use a function or a model. Only asked where the key has a list.

Twice: of the request, before anything is called; and of each model that is about to be called, so that no way of
coming by a model goes past the list.
"""

from __future__ import annotations

from collections.abc import Iterator

from calibrant.base.errors import Forbidden
from calibrant.engine.compiled import CompiledFunction, CompiledVariant
from calibrant.engine.engine import Engine
from calibrant.types.key import Grants
from calibrant.types.request import InferenceRequest

__all__ = ["check_model", "check_models", "check_request"]


def check_request(engine: Engine, request: InferenceRequest, grants: Grants) -> None:
    """Refuse what the key may not ask for.

    Raises:
        Forbidden: the function or the model is not on its list, or the request changes what providers are sent.
    """
    function, model = request.function_name, request.model_name
    if function is not None and not grants.function(function):
        raise _refused(engine, "function", f"this API key may not use the function {function!r}")
    if model is not None and not grants.direct(model):
        raise _refused(engine, "model", f"this API key may not ask the model {model!r} directly")
    for field in ("extra_body", "extra_headers", "provider_tools"):
        if getattr(request, field):
            raise _refused(
                engine,
                "extra",
                f"{field}: this API key has a list of what it may use, so it may not change what providers are sent, "
                "which could name another model; leave it out, or put it into the configuration",
            )


def check_models(
    engine: Engine, function: CompiledFunction, order: Iterator[CompiledVariant], grants: Grants
) -> Iterator[CompiledVariant]:
    """Return the variants to try, once it is certain that one of them may be.

    One whose model is not on the list stays among them: it is given up when its turn comes, so that the record says
    what was drawn, and why something else served.

    Raises:
        Forbidden: the key may use the model of none.
    """
    variants = list(order)
    if not any(grants.model(each.variant.model) for each in variants):
        raise _refused(
            engine,
            "model",
            f"this API key may use no model of the variants that could serve {function.function.name!r}: "
            f"{', '.join(sorted({each.variant.model for each in variants}))}",
        )
    return iter(variants)


def check_model(name: str, grants: Grants) -> None:
    """Refuse to have a model called. Nothing is counted: another variant may serve.

    Raises:
        Forbidden: it is not on the key's list.
    """
    if not grants.model(name):
        raise Forbidden(f"this API key may not use the model {name!r}", reason="model")


def _refused(engine: Engine, reason: str, message: str) -> Forbidden:
    engine.metrics.count("auth_refused", (reason,))
    return Forbidden(message, reason=reason)
