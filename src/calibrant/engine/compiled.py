"""Configuration made ready for the line: templates compiled, schemas compiled, adapters built. Once per load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, assert_never

import msgspec

from calibrant.base.errors import ConfigError, InvalidRequest, NotFound, RenderError
from calibrant.config.dynamic import dynamic_variant
from calibrant.config.schema import (
    AnyVariant,
    BestOfN,
    ChainOfThought,
    Config,
    Dicl,
    Experiment,
    Function,
    MixtureOfN,
    Model,
    Provider,
    Variant,
)
from calibrant.config.setting import dynamic_settings, placeholders, settled_for
from calibrant.config.shorthand import shorthand_provider
from calibrant.config.vendors import VENDORS
from calibrant.providers.base import Adapter, Embedder
from calibrant.providers.catalog import adapter, embedder
from calibrant.providers.cost import Pricer
from calibrant.providers.price_table import PriceTable
from calibrant.providers.relay import Relay
from calibrant.render.schema import Schema
from calibrant.render.template import Templates
from calibrant.types.tool import Tool

__all__ = [
    "CompiledBestOfN",
    "CompiledChainOfThought",
    "CompiledDicl",
    "CompiledEmbedder",
    "CompiledFunction",
    "CompiledMixtureOfN",
    "CompiledModel",
    "CompiledProvider",
    "CompiledVariant",
    "Compiler",
    "P",
    "Servable",
    "compiled_variant",
]

_encode = msgspec.json.Encoder(order="deterministic").encode

_SHORTHANDS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class CompiledVariant:
    """A variant and its templates."""

    variant: Variant
    templates: Templates | None


@dataclass(frozen=True, slots=True)
class CompiledBestOfN:
    """Candidates, and who picks."""

    variant: BestOfN
    candidates: tuple[Servable, ...]
    judge: CompiledVariant


@dataclass(frozen=True, slots=True)
class CompiledMixtureOfN:
    """Candidates, and who makes one answer of theirs."""

    variant: MixtureOfN
    candidates: tuple[Servable, ...]
    fuser: CompiledVariant


@dataclass(frozen=True, slots=True)
class CompiledChainOfThought:
    """A call that thinks before it answers."""

    variant: ChainOfThought
    call: CompiledVariant


@dataclass(frozen=True, slots=True)
class CompiledDicl:
    """A call with examples before it. There is nothing to compile: it has no templates."""

    variant: Dicl


Servable = CompiledVariant | CompiledBestOfN | CompiledMixtureOfN | CompiledChainOfThought | CompiledDicl


@dataclass(frozen=True, slots=True)
class CompiledFunction:
    """A function with its schemas and variants."""

    function: Function
    variants: dict[str, Servable]
    schemas: dict[str, Schema]
    output_schema: Schema | None
    tool_schemas: dict[str, Schema]
    """By the name that the model sees."""
    schema_only_roles: frozenset[str]
    """Roles whose plain text would go through a template that has a schema."""


@dataclass(frozen=True, slots=True)
class CompiledProvider:
    """A provider and the codec that speaks its dialect."""

    provider: Provider
    adapter: Adapter
    pricer: Pricer | None = None
    """What its calls cost; null where nobody asks."""
    dynamic: tuple[str, ...] = ()
    """Settings that come with each request. With any, `adapter` reads answers, and `speaking` has who asks."""
    relay: Relay | None = None
    """The adapter, where the provider is another gateway."""

    def speaking(self, credentials: Mapping[str, str]) -> Adapter:
        """Return the adapter that encodes and signs a call of a request with these `credentials`.

        Raises:
            MissingCredential: the request lacks a setting, or what it has cannot be right.
        """
        return adapter(settled_for(self.provider, credentials)) if self.dynamic else self.adapter


@dataclass(frozen=True, slots=True)
class CompiledEmbedder:
    """A provider of an embedding model and the codec that speaks its dialect."""

    provider: Provider
    embedder: Embedder
    pricer: Pricer | None = None
    """As a `CompiledProvider`'s."""
    dynamic: tuple[str, ...] = ()
    """As a `CompiledProvider`'s."""

    def speaking(self, credentials: Mapping[str, str]) -> Embedder:
        """Return the codec that encodes and signs a call of a request with these `credentials`.

        Raises:
            MissingCredential: the request lacks a setting, or what it has cannot be right.
        """
        return embedder(settled_for(self.provider, credentials)) if self.dynamic else self.embedder


P = TypeVar("P", CompiledProvider, CompiledEmbedder)
"""Whom a model's call may go to."""


@dataclass(frozen=True, slots=True)
class CompiledModel(Generic[P]):
    """A model and its providers, in routing order."""

    model: Model
    providers: tuple[P, ...]
    balanced: bool = False
    """Whether there is anything to decide about their order."""
    fallbacks: tuple[str, ...] = ()
    """Models that take over, and those that take over from them, in the order in which they are tried."""


class Compiler:
    """Compiles what the configuration holds at once, and shorthands (`openai::gpt-4o-mini`) as they are asked for."""

    def __init__(self, config: Config, prices: PriceTable | None = None) -> None:
        """Compile every function and model.

        Args:
            config: What to compile.
            prices: What vendors ask; without it only rules and providers say what a call costs.

        Raises:
            ConfigError: a template or schema does not compile; the message lists every one that does not.
        """
        self._config = config
        self._prices = prices
        self._shorthands: dict[str, CompiledModel[CompiledProvider]] = {}
        self._embedding_shorthands: dict[str, CompiledModel[CompiledEmbedder]] = {}
        self._defaults: dict[str, CompiledFunction] = {}
        self._trial: tuple[tuple[str, bytes], Servable] | None = None
        """The variant that came with a request last: a run brings the same one with each."""
        problems: list[str] = []
        self._functions: dict[str, CompiledFunction] = {}
        for name, function in config.functions.items():
            try:
                self._functions[name] = _function(function, config.includes)
            except (RenderError, ValueError) as error:
                problems.append(f"functions.{name}: {error}")
        if problems:
            raise ConfigError("\n".join(problems))
        self._models = {name: _model(model, prices, config.models) for name, model in config.models.items()}
        self._tools = config.tools
        self._tool_schemas = [(tool, Schema(tool.parameters)) for tool in config.tools.values()]
        self._embedding_models = {
            name: _embedding_model(model, prices) for name, model in config.embedding_models.items()
        }

    def function(self, name: str) -> CompiledFunction:
        """Return the function.

        Raises:
            NotFound: the configuration has none of this name.
        """
        try:
            return self._functions[name]
        except KeyError:
            raise NotFound(f"Unknown function: {name!r}; the configuration has {_some(self._functions)}") from None

    def dynamic(self, name: str, table: dict[str, Any]) -> Servable:
        """Return a variant that came with a request of the function of this name.

        Raises:
            InvalidRequest: it has mistakes; the message lists all.
        """
        if name not in self._config.functions:
            raise InvalidRequest(f"internal_dynamic_variant_config: {name!r} is no function of the configuration")
        asked = (name, _encode(table))
        if self._trial is not None and self._trial[0] == asked:
            return self._trial[1]
        try:
            variant = dynamic_variant(self._config, name, table)
            made = compiled_variant(variant, self._config.functions[name], self._config.includes)
        except (ConfigError, RenderError) as error:
            raise InvalidRequest(error.message) from None
        self._trial = (asked, made)
        return made

    def model(self, name: str) -> CompiledModel[CompiledProvider] | None:
        """Return the model, configured or by its shorthand, or null where there is none."""
        found = self._models.get(name) or self._shorthands.get(name)
        return self._shorthand(name) if found is None else found

    def tool(self, key: str) -> Tool | None:
        """Return the configured tool of this key, or null where there is none."""
        return self._tools.get(key)

    def tool_keys(self) -> Iterable[str]:
        """Return the keys of the configured tools."""
        return self._tools.keys()

    def tool_schema(self, tool: Tool) -> Schema:
        """Return the schema of a configured tool's arguments."""
        return next(schema for other, schema in self._tool_schemas if other is tool)

    def embedding_model(self, name: str) -> CompiledModel[CompiledEmbedder]:
        """Return the embedding model, configured or by its shorthand.

        Raises:
            NotFound: there is none of this name.
        """
        found = self._embedding_models.get(name) or self._embedding_shorthands.get(name)
        found = self._embedding_shorthand(name) if found is None else found
        if found is None:
            raise NotFound(
                f"Unknown embedding model: {name!r}; the configuration has {_some(self._embedding_models)}; "
                "or name one by a shorthand such as 'openai::text-embedding-3-small'"
            )
        return found

    def default_function(self, model_name: str) -> CompiledFunction | None:
        """Return the built-in chat function whose only variant calls this model, or null for no such model."""
        found = self._defaults.get(model_name)
        model = self.model(model_name) if found is None else None
        if model is not None:
            variant = Variant(name=model_name, model=model_name, namespace=model.model.namespace)
            function = Function(
                name="tensorzero::default",
                type="chat",
                variants={model_name: variant},
                experiment=Experiment({model_name: 1.0}),
                payloads=self._config.record.payloads,
            )
            found = _function(function, {})
            if len(self._defaults) >= _SHORTHANDS_KEPT:
                self._defaults.clear()
            self._defaults[model_name] = found
        return found

    def model_names(self) -> list[str]:
        """Return the names of the configured models, sorted."""
        return sorted(self._models)

    def embedding_model_names(self) -> list[str]:
        """Return the names of the configured embedding models, sorted."""
        return sorted(self._embedding_models)

    def function_names(self) -> list[str]:
        """Return the names of the configured functions, sorted."""
        return sorted(self._functions)

    def _shorthand(self, name: str) -> CompiledModel[CompiledProvider] | None:
        kind, _, model_name = name.partition("::")
        provider = shorthand_provider(kind, model_name, self._config)
        if provider is None:
            return None
        compiled = _model(Model(name=name, providers=(provider,)), self._prices, {})
        _keep(self._shorthands, name, compiled)
        return compiled

    def _embedding_shorthand(self, name: str) -> CompiledModel[CompiledEmbedder] | None:
        kind, _, model_name = name.partition("::")
        provider = shorthand_provider(kind, model_name, self._config)
        # `openai::responses::M` says by which API a chat model is spoken to.
        if provider is None or not VENDORS[kind].embeddings or "api_type" in provider.options:
            return None
        compiled = _embedding_model(Model(name=name, providers=(provider,)), self._prices)
        _keep(self._embedding_shorthands, name, compiled)
        return compiled


def _function(function: Function, includes: dict[str, str]) -> CompiledFunction:
    variants = {name: compiled_variant(variant, function, includes) for name, variant in function.variants.items()}
    legacy = {role for variant in function.variants.values() for role in _call_of(variant).legacy_roles}
    return CompiledFunction(
        function=function,
        variants=variants,
        schemas={name: Schema(source) for name, source in function.schemas.items()},
        output_schema=Schema(function.output_schema) if function.output_schema else None,
        tool_schemas={tool.name: Schema(tool.parameters) for tool in function.tools.values()},
        schema_only_roles=frozenset(legacy & set(function.schemas)),
    )


def compiled_variant(variant: AnyVariant, function: Function, includes: Mapping[str, str]) -> Servable:
    """Return a variant ready to serve.

    Args:
        variant: The variant, of the function or made for one request of it.
        function: The function, which has the candidates that the variant may name.
        includes: Templates that others may include.

    Raises:
        RenderError: a template does not compile.
    """
    match variant:
        case Variant():
            return _compiled_call(variant, includes)
        case BestOfN():
            candidates = _candidates(variant.candidates, function, includes)
            return CompiledBestOfN(variant, candidates, _compiled_call(variant.judge, includes))
        case MixtureOfN():
            candidates = _candidates(variant.candidates, function, includes)
            return CompiledMixtureOfN(variant, candidates, _compiled_call(variant.fuser, includes))
        case ChainOfThought():
            return CompiledChainOfThought(variant, _compiled_call(variant.call, includes))
        case Dicl():
            return CompiledDicl(variant)
        case _:
            assert_never(variant)


def _candidates(names: Iterable[str], function: Function, includes: Mapping[str, str]) -> tuple[Servable, ...]:
    return tuple(compiled_variant(function.variants[name], function, includes) for name in names)


def _compiled_call(variant: Variant, includes: Mapping[str, str]) -> CompiledVariant:
    return CompiledVariant(variant, Templates(variant.templates, includes) if variant.templates else None)


def _call_of(variant: AnyVariant) -> Variant:
    """Return the call of a model that the variant itself describes."""
    match variant:
        case Variant():
            return variant
        case BestOfN():
            return variant.judge
        case MixtureOfN():
            return variant.fuser
        case ChainOfThought() | Dicl():
            return variant.call
        case _:
            assert_never(variant)


M = TypeVar("M")


def _keep(kept: dict[str, M], name: str, compiled: M) -> None:
    # Callers choose these names, so what is kept of them is bounded.
    if len(kept) >= _SHORTHANDS_KEPT:
        kept.clear()
    kept[name] = compiled


def _model(model: Model, prices: PriceTable | None, models: Mapping[str, Model]) -> CompiledModel[CompiledProvider]:
    fallbacks = dict.fromkeys(_taking_over(model, models))
    providers = tuple(_provider(p, prices) for p in model.providers)
    return CompiledModel(model, providers, balanced=_balanced(model), fallbacks=tuple(fallbacks))


def _balanced(model: Model) -> bool:
    return len(model.providers) > 1 and (model.breaker.enabled or model.strategy != "ordered")


def _taking_over(model: Model, models: Mapping[str, Model]) -> Iterator[str]:
    """Yield who takes over, each followed by who takes over from it; the configuration has no cycles."""
    for name in model.fallbacks:
        yield name
        if name in models:
            yield from _taking_over(models[name], models)


def _embedding_model(model: Model, prices: PriceTable | None) -> CompiledModel[CompiledEmbedder]:
    return CompiledModel(model, tuple(_embedder(p, prices) for p in model.providers), balanced=_balanced(model))


def _provider(provider: Provider, prices: PriceTable | None) -> CompiledProvider:
    speaker = adapter(placeholders(provider))
    relay = speaker if isinstance(speaker, Relay) else None
    return CompiledProvider(provider, speaker, Pricer(provider, prices), dynamic_settings(provider), relay)


def _embedder(provider: Provider, prices: PriceTable | None) -> CompiledEmbedder:
    speaker = embedder(placeholders(provider))
    return CompiledEmbedder(provider, speaker, Pricer(provider, prices), dynamic_settings(provider))


def _some(names: Iterable[str]) -> str:
    known = sorted(names)
    return ", ".join(known[:10]) + (", ..." if len(known) > 10 else "") if known else "none"
