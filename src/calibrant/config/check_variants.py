"""What must hold of one variant: the calls of models in it, and the candidates that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calibrant.config.check import Report, check_timeouts, names, unknown_model
from calibrant.config.document import Document
from calibrant.config.document_functions import (
    AnyVariant,
    BestOfN,
    Called,
    ChainOfThought,
    ChatFunction,
    FunctionTable,
    InContextLearning,
    MixtureOfN,
    Prompted,
    calls_of,
)
from calibrant.config.document_models import ModelTable
from calibrant.config.problem import Path
from calibrant.config.shape import did_you_mean
from calibrant.config.sources import Source, schema_sources, template_sources

__all__ = ["check_once", "check_variant"]

Tree = dict[str, Any]


def check_variant(
    path: Path, variant: AnyVariant, function: FunctionTable, document: Document, tree: Tree, report: Report
) -> None:
    """Report what is wrong in a variant.

    Args:
        path: Where it stands: `functions.F.variants.V`.
        variant: The variant.
        function: The function that has it.
        document: The embedded document, pruned.
        tree: The document before it was pruned.
        report: Where problems go.
    """
    schemas = {source.name for source in schema_sources(function)}
    check_timeouts(path, variant.timeouts, document.gateway.global_outbound_http_timeout_ms, report)
    for within, call in calls_of(variant):
        here = (*path, *within)
        if isinstance(call, Prompted):
            _check_templates(here, call, schemas, report)
        if within:
            check_timeouts(here, call.timeouts, document.gateway.global_outbound_http_timeout_ms, report)
        _check_json_mode(here, call, variant, function, report)
        _check_model(here, call, variant.namespace, document, tree, report)
    if isinstance(variant, InContextLearning) and variant.embedding_model is not None:
        known = names(tree, "embedding_models")
        fault = unknown_model(variant.embedding_model, known, "embedding model", "openai::text-embedding-3-small")
        if fault is not None:
            report((*path, "embedding_model"), *fault)
    if isinstance(variant, (BestOfN, MixtureOfN)):
        _check_candidates(path, variant, function.variants, names(tree, *map(str, path[:-1])), report)
        _check_homes(path, variant, function.variants, document, report)
    if isinstance(variant, ChainOfThought) and isinstance(function, ChatFunction):
        report((*path, "type"), "is for JSON functions only", 'make the function `type = "json"`')


def check_once(path: Path, sources: list[Source], report: Report) -> None:
    """Report templates or schemas whose name is set twice."""
    seen: dict[str, Source] = {}
    for source in sources:
        first = seen.setdefault(source.name, source)
        if first is not source:
            report((*path, *source.path), f"sets {source.name!r} a second time", f"keep it or `{first.path[0]}`")


def _check_templates(path: Path, call: Prompted, schemas: set[str], report: Report) -> None:
    templates = template_sources(call)
    check_once(path, templates, report)
    for name in sorted(schemas - {source.name for source in templates}):
        report(
            (*path, "templates", name),
            f"is missing, but the function has a schema for {name!r}",
            f"write `templates.{name}.path`",
        )


def _check_json_mode(path: Path, call: Called, variant: AnyVariant, function: FunctionTable, report: Report) -> None:
    if isinstance(variant, BestOfN):
        # Who picks answers with JSON whatever the function returns; without a word of it, in the mode `strict`.
        return
    if isinstance(function, ChatFunction):
        if call.json_mode is not None:
            report(
                (*path, "json_mode"),
                "is set on a chat function",
                'take it out, or make the function `type = "json"`',
            )
    elif call.json_mode is None:
        report((*path, "json_mode"), "is missing", "write one of 'off', 'on', 'strict', 'tool'")


def _check_model(
    path: Path, call: Called, namespace: str | None, document: Document, tree: Tree, report: Report
) -> None:
    fault = unknown_model(call.model, names(tree, "models"))
    if fault is not None:
        report((*path, "model"), *fault)
    model = document.models.get(call.model)
    if model is None or model.namespace is None or namespace in (None, model.namespace):
        return
    report(
        (*path, "namespace"),
        f"is {namespace!r}, but its model belongs to the namespace {model.namespace!r}",
        "take the variant's out, or make them the same",
    )


def _check_candidates(
    path: Path,
    variant: BestOfN | MixtureOfN,
    variants: Mapping[str, AnyVariant],
    known: set[str],
    report: Report,
) -> None:
    if not variant.candidates:
        report((*path, "candidates"), "is empty", "name the variants that answer")
    for i, name in enumerate(variant.candidates):
        if name not in known:
            report(
                (*path, "candidates", i),
                f"names the variant {name!r}, which the function lacks",
                did_you_mean(name, known),
            )
        elif path[-1] in _reached(name, variants):
            report((*path, "candidates", i), f"leads through {name!r} back to this variant", "name another")


def _check_homes(
    path: Path, variant: AnyVariant, variants: Mapping[str, AnyVariant], document: Document, report: Report
) -> None:
    for within, call in calls_of(variant):
        model = document.models.get(call.model)
        _check_home((*path, *within, "model"), f"the model {call.model!r}", model, variant, report)
    for i, name in enumerate(variant.candidates if isinstance(variant, (BestOfN, MixtureOfN)) else ()):
        for home in (variants.get(name), *_models(variants.get(name), document)):
            _check_home((*path, "candidates", i), f"the variant {name!r}", home, variant, report)


def _models(variant: AnyVariant | None, document: Document) -> list[ModelTable | None]:
    calls = () if variant is None else calls_of(variant)
    return [document.models.get(call.model) for _, call in calls]


def _check_home(
    path: Path, what: str, inner: AnyVariant | ModelTable | None, variant: AnyVariant, report: Report
) -> None:
    """Report what belongs to a namespace where the variant around it does not."""
    if inner is not None and inner.namespace not in (None, variant.namespace):
        report(
            path,
            f"names {what}, which belongs to the namespace {inner.namespace!r}",
            f"write `namespace = {inner.namespace!r}` for this variant, or name another",
        )


def _reached(start: str, variants: Mapping[str, AnyVariant]) -> set[str]:
    """Return the variants that one calls on as candidates, itself included."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            variant = variants.get(name)
            waiting += variant.candidates if isinstance(variant, (BestOfN, MixtureOfN)) else ()
    return found
