"""What must hold of a model's routing: its strategy and weights, its breaker, the models that take over from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calibrant.config.check import Report, names, unknown_model
from calibrant.config.document import Document
from calibrant.config.document_models import ModelTable
from calibrant.config.problem import Path
from calibrant.config.shape import did_you_mean

__all__ = ["check_routing"]


def check_routing(document: Document, tree: dict[str, Any], report: Report) -> None:
    """Report what is wrong with where the calls of models go.

    Args:
        document: The embedded document, pruned.
        tree: The document before it was pruned.
        report: Where problems go.
    """
    known = names(tree, "models")
    general = document.gateway.breaker
    if general.open_s > general.max_open_s:
        report(("gateway", "breaker", "open_s"), "is more than `max_open_s`", "make it the smaller one")
    for name, model in document.models.items():
        path = ("models", name)
        _check_weights(path, model, names(tree, *path, "weights"), report)
        open_s, longest = model.breaker.open_s, model.breaker.max_open_s
        if (open_s or longest) and (open_s or general.open_s) > (longest or general.max_open_s):
            report(
                (*path, "breaker", "open_s" if open_s else "max_open_s"),
                "makes `open_s` more than `max_open_s`",
                "make `open_s` the smaller one",
            )
        _check_fallbacks(path, model, document.models, known, report)


def _check_weights(path: Path, model: ModelTable, weighed: set[str], report: Report) -> None:
    if not model.weights:
        return
    here = (*path, "weights")
    if model.routing_strategy != "weighted":
        report(here, f"is set, but the strategy is {model.routing_strategy!r}", 'write `routing_strategy = "weighted"`')
    for name in sorted(set(model.weights) - set(model.routing)):
        report((*here, name), f"names the provider {name!r}, which `routing` lacks", did_you_mean(name, model.routing))
    for name in model.routing:
        if name not in weighed:
            report(here, f"has no weight for the provider {name!r}", "give it one; 0 makes it the last resort")
    if len(weighed) == len(model.weights) and not any(model.weights.values()):
        report(here, "has no weight above 0", "give a provider one")


def _check_fallbacks(
    path: Path, model: ModelTable, models: Mapping[str, ModelTable], known: set[str], report: Report
) -> None:
    name = str(path[-1])
    for i, other in enumerate(model.fallback_models):
        here = (*path, "fallback_models", i)
        fault = unknown_model(other, known)
        if fault is not None:
            report(here, *fault)
        elif other in model.fallback_models[:i]:
            report(here, f"names the model {other!r} a second time", "name each once")
        elif name in _reached(other, models):
            report(here, f"leads back to the model {name!r} itself", "take it out: nothing may take over from itself")
        elif other in models and models[other].namespace not in (None, model.namespace):
            report(
                here,
                f"names a model of the namespace {models[other].namespace!r}, which not every request may use",
                "name one without a namespace, or of this model's",
            )


def _reached(name: str, models: Mapping[str, ModelTable]) -> set[str]:
    """Return the model and every one that may take over from it."""
    found: set[str] = set()
    left = [name]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += models[each].fallback_models if each in models else ()
    return found
