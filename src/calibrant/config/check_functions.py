"""What must hold within a function: its variants, templates, schemas, tools and experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calibrant.config.check import Report, check_schema, names
from calibrant.config.check_variants import check_once, check_variant
from calibrant.config.document import Document
from calibrant.config.document_functions import (
    ChatFunction,
    Experimentation,
    FunctionTable,
    Segment,
    SpecificTool,
    Static,
    StaticWeights,
    Uniform,
    calls_of,
)
from calibrant.config.problem import Path
from calibrant.config.shape import did_you_mean
from calibrant.config.sources import schema_sources

__all__ = ["check_functions"]

Tree = dict[str, Any]


def check_functions(document: Document, tree: Tree, report: Report) -> None:
    """Report what is wrong in the functions.

    Args:
        document: The embedded document, pruned.
        tree: The document before it was pruned.
        report: Where problems go.
    """
    for name, function in document.functions.items():
        path: Path = ("functions", name)
        variants = names(tree, "functions", name, "variants")
        if not variants:
            report((*path, "variants"), "is empty", "give the function a variant")
        schemas = schema_sources(function)
        check_once(path, schemas, report)
        for source in schemas:
            check_schema(source.text, (*path, *source.path), report)
        for key, variant in function.variants.items():
            check_variant((*path, "variants", key), variant, function, document, tree, report)
        _check_experiment(path, function, variants, document, report)
        if isinstance(function, ChatFunction):
            _check_tools(path, function, document, tree, report)
        elif function.output_schema is not None:
            check_schema(function.output_schema, (*path, "output_schema"), report)


def _check_tools(path: Path, function: ChatFunction, document: Document, tree: Tree, report: Report) -> None:
    known = names(tree, "tools")
    visible: dict[str, str] = {}
    for i, key in enumerate(function.tools):
        if key not in known:
            report(
                (*path, "tools", i),
                f"names the tool {key!r}, which is not configured",
                did_you_mean(key, known),
            )
            continue
        tool = document.tools.get(key)
        name = (tool.name if tool is not None else None) or key
        first = visible.setdefault(name, key)
        if first != key or key in function.tools[:i]:
            report(
                (*path, "tools", i),
                f"shows the model a second tool named {name!r}",
                "give each its own `name`",
            )
    choice = function.tool_choice
    if isinstance(choice, SpecificTool) and choice.specific not in {*function.tools, *visible}:
        report(
            (*path, "tool_choice", "specific"),
            f"names the tool {choice.specific!r}, which the function lacks",
            did_you_mean(choice.specific, function.tools),
        )


def _check_experiment(
    path: Path, function: FunctionTable, variants: set[str], document: Document, report: Report
) -> None:
    experiment = function.experimentation
    if experiment is None:
        return
    for name, variant in function.variants.items():
        if variant.weight is not None:
            report(
                (*path, "variants", name, "weight"),
                "is set beside `experimentation`",
                "say it in `experimentation.candidate_variants`",
            )
    homes = _homes(function, document)
    here = (*path, "experimentation")
    _check_candidates(here, experiment, variants, None, homes, report)
    for namespace, nested in experiment.namespaces.items():
        within = (*here, "namespaces", namespace)
        _check_candidates(within, nested, variants, namespace, homes, report)
        if nested.namespaces:
            report((*within, "namespaces"), "stands inside a namespace", "put it beside the others")


def _homes(function: FunctionTable, document: Document) -> dict[str, str]:
    """Return the namespace of each variant that has one, of its own or through its model."""
    homes: dict[str, str] = {}
    for name, variant in function.variants.items():
        models = [document.models.get(call.model) for within, call in calls_of(variant) if not within]
        home = variant.namespace or next((model.namespace for model in models if model is not None), None)
        if home is not None:
            homes[name] = home
    return homes


def _check_candidates(
    path: Path,
    experiment: Experimentation,
    variants: set[str],
    namespace: str | None,
    homes: Mapping[str, str],
    report: Report,
) -> None:
    if not isinstance(experiment, (Static, StaticWeights, Uniform)):
        return
    _check_drawn(path, experiment, variants, namespace, homes, report)
    for i, segment in enumerate(experiment.segments if isinstance(experiment, Static) else ()):
        if not segment.tags:
            report((*path, "segments", i, "tags"), "is empty", "name the tags whose requests are meant")
        _check_drawn((*path, "segments", i), segment, variants, namespace, homes, report)


def _check_drawn(
    path: Path,
    experiment: Static | StaticWeights | Uniform | Segment,
    variants: set[str],
    namespace: str | None,
    homes: Mapping[str, str],
    report: Report,
) -> None:
    candidates = experiment.candidate_variants
    fallbacks = experiment.fallback_variants or ()
    for key, listed in (("candidate_variants", candidates or ()), ("fallback_variants", fallbacks)):
        for i, name in enumerate(listed):
            here = (*path, key, name if isinstance(listed, dict) else i)
            if name not in variants:
                report(
                    here,
                    f"names the variant {name!r}, which the function lacks",
                    did_you_mean(name, variants),
                )
            elif homes.get(name) not in (None, namespace):
                report(
                    here,
                    f"names the variant {name!r}, which belongs to the namespace {homes[name]!r}",
                    f"name it in `namespaces.{homes[name]}` only",
                )
            if not isinstance(listed, dict) and name in tuple(listed)[:i]:
                report(here, f"names the variant {name!r} a second time", "name each once")
    if isinstance(candidates, dict) and candidates and sum(candidates.values()) <= 0:
        report((*path, "candidate_variants"), "gives every variant the weight 0", "give one of them more")
    if candidates is not None and not candidates and not fallbacks:
        report((*path, "candidate_variants"), "is empty", "name a variant")
