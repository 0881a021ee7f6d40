"""Makes the `Config` that the rest of the house sees out of a document that has been checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import fields, replace

from calibrant.config import document_models, document_parts, schema
from calibrant.config.credential import AWS_TYPES, credential_at, provider_credential
from calibrant.config.document import Document, ToolTable
from calibrant.config.document_functions import (
    AnyVariant as AnyTable,
)
from calibrant.config.document_functions import (
    BestOfN,
    Called,
    ChainOfThought,
    ChatCompletion,
    ChatFunction,
    Experimentation,
    FunctionTable,
    InContextLearning,
    MixtureOfN,
    Prompted,
    SpecificTool,
    Static,
    StaticWeights,
    Uniform,
)
from calibrant.config.document_gateway import (
    BatchTable,
    Cache,
    GatewayBreaker,
    GatewayTable,
    NoStorage,
    ObjectStorageTable,
    RetentionTable,
)
from calibrant.config.document_gateway import S3Storage as S3Table
from calibrant.config.document_models import AnyProvider, EmbeddingModelTable, ModelBreaker, ModelTable, VertexBatch
from calibrant.config.document_parts import TimeoutsTable
from calibrant.config.marks import parse_address, parse_bytes
from calibrant.config.relay import relay_of, relay_provider
from calibrant.config.schema import (
    AnyVariant,
    Auth,
    BatchSettings,
    BreakerPolicy,
    CacheSettings,
    ClickHouseHome,
    Config,
    CostRule,
    Credential,
    Experiment,
    FilePolicy,
    Function,
    Gateway,
    Metric,
    Model,
    PayloadPolicy,
    Provider,
    RecordPolicy,
    Relay,
    Retention,
    Retries,
    Segment,
    SpoolPolicy,
    Timeouts,
    Variant,
)
from calibrant.config.setting import REGION_FROM_SDK
from calibrant.config.sources import schema_sources, template_sources
from calibrant.config.vendors import VENDORS
from calibrant.types.extra import ExtraBody, ExtraHeader
from calibrant.types.request import JsonMode, Params
from calibrant.types.storage import DisabledStorage, FilesystemStorage, S3Storage, StorageKind
from calibrant.types.tool import Specific, Tool, ToolChoice

__all__ = ["build"]


def build(
    document: Document, includes: dict[str, str], canonical: bytes, digest: str, warnings: Iterable[str]
) -> Config:
    """Return the configuration that a document means.

    Args:
        document: Embedded, with absolute paths, and without a mistake.
        includes: Templates that others may include, by path.
        canonical: The document's canonical form.
        digest: Hash of that.
        warnings: What to tell whoever loads it.
    """
    defaults = _defaults(document)
    tools = {key: _tool(key, table) for key, table in document.tools.items()}
    breaker = document.gateway.breaker
    relay = relay_of(document.gateway.relay)
    storage = document.provider_types.gcp_vertex_gemini.batch
    models = {
        name: _with_storage(_model(name, table, defaults, breaker, relay), storage)
        for name, table in document.models.items()
    }
    payloads = document.record.payloads
    home = document.clickhouse
    migrates = not (home.disable_automatic_migrations or document.gateway.observability.disable_automatic_migrations)
    return Config(
        gateway=_gateway(document.gateway),
        functions={name: _function(name, table, models, tools, payloads) for name, table in document.functions.items()},
        models=models,
        metrics={
            name: Metric(name, table.type, table.optimize, table.level, table.description)
            for name, table in document.metrics.items()
        },
        tools=tools,
        includes=includes,
        spool=SpoolPolicy(
            durability=document.spool.durability,
            max_bytes=parse_bytes(document.spool.max_bytes),
            min_free_bytes=parse_bytes(document.spool.min_free_bytes),
            when_full=document.spool.when_full,
            segment_bytes=parse_bytes(document.spool.segment_bytes),
        ),
        retention=Retention(
            payload_days=_payload_days(document),
            max_database_bytes=parse_bytes(document.retention.max_database_bytes),
            # TensorZero's name counts where ours says nothing.
            metadata_days=document.retention.metadata_days or document.postgres.inference_metadata_retention_days or 0,
            feedback_days=document.retention.feedback_days,
        ),
        record=RecordPolicy(payloads=payloads, redact=document.record.redact, search=document.record.search),
        observability=document.gateway.observability.enabled is not False,
        postgres_connections=document.postgres.connection_pool_size,
        provider_defaults=defaults,
        hash=digest,
        canonical=canonical,
        warnings=tuple(warnings),
        object_storage=_storage(document.object_storage),
        embedding_models={
            name: _embedding_model(name, table, defaults, breaker, relay)
            for name, table in document.embedding_models.items()
        },
        clickhouse=ClickHouseHome(migrates, home.cluster, home.replicated, home.sharded),
    )


def _payload_days(document: Document) -> int:
    """Return how long payloads stay: by `[retention]`, or, where that says nothing, by TensorZero's name for it."""
    theirs = document.postgres.inference_data_retention_days or document.postgres.inference_retention_days
    ours = document.retention.payload_days
    return theirs if theirs and ours == RetentionTable().payload_days else ours


def _storage(table: ObjectStorageTable | None) -> StorageKind | None:
    if table is None:
        return None
    if isinstance(table, NoStorage):
        return DisabledStorage()
    if isinstance(table, S3Table):
        endpoint = None if table.endpoint is None else table.endpoint.rstrip("/")
        return S3Storage(table.bucket_name or "", table.region, endpoint, table.allow_http, table.prefix)
    return FilesystemStorage(table.path)


def _files(table: GatewayTable) -> FilePolicy:
    files = table.files
    return FilePolicy(
        always=table.fetch_and_encode_input_files_before_inference,
        max_bytes=parse_bytes(files.max_bytes),
        max_files=files.max_files,
        timeout_s=files.timeout_s,
        max_redirects=files.max_redirects,
        allow_private=files.allow_private,
        content_types=files.content_types,
    )


def _gateway(table: GatewayTable) -> Gateway:
    plain = Gateway()
    host, port = table.host or plain.host, plain.port if table.port is None else table.port
    if table.bind_address is not None:
        host, port = parse_address(table.bind_address)
    path = (table.base_path or "").strip("/")
    access = table.template_filesystem_access
    return Gateway(
        host=host,
        port=port,
        workers=table.workers,
        base_path=f"/{path}" if path else "",
        debug=table.debug,
        global_outbound_http_timeout_ms=table.global_outbound_http_timeout_ms,
        stream_read_timeout_ms=table.global_outbound_http_intra_stream_read_timeout_ms,
        on_client_disconnect=table.on_client_disconnect,
        overhead_buckets=table.metrics.tensorzero_inference_latency_overhead_seconds_buckets,
        unstable_error_json=table.unstable_error_json,
        disable_feedback_target_validation=table.unstable_disable_feedback_target_validation,
        template_base_path=None if access.enabled is False else access.base_path,
        drain_timeout_s=table.drain_timeout_s,
        ca_bundle=table.ca_bundle,
        header_timeout_s=table.header_timeout_s,
        body_timeout_s=table.body_timeout_s,
        max_body_bytes=parse_bytes(table.max_body_bytes),
        cache=_cache(table.cache),
        auth=Auth(table.auth.enabled, table.auth.cache.ttl_ms if table.auth.cache.enabled else 0),
        relay=relay_of(table.relay),
        files=_files(table),
        batch=_batch(table.batch),
    )


def _batch(table: BatchTable) -> BatchSettings:
    return BatchSettings(table.concurrency, table.native, table.lease_s, table.keep_answers_s)


def _cache(table: Cache) -> CacheSettings:
    return CacheSettings(
        enabled=table.enabled is not False,
        scope=table.scope,
        ttl_s=table.valkey.ttl_s if table.ttl_s is None else table.ttl_s,
        max_bytes=parse_bytes(table.max_bytes),
        max_entry_bytes=parse_bytes(table.max_entry_bytes),
        memory_bytes=parse_bytes(table.memory_bytes),
    )


def _defaults(document: Document) -> dict[str, Credential]:
    found: dict[str, Credential] = {}
    for name in VENDORS:
        defaults = getattr(getattr(document.provider_types, name, None), "defaults", None)
        location = getattr(defaults, "api_key_location", None) or getattr(defaults, "credential_location", None)
        if location is not None:
            found[name] = credential_at(name, location)
    return found


def _timeouts(table: TimeoutsTable) -> Timeouts:
    streaming = table.streaming
    return Timeouts(table.non_streaming.total_ms, streaming.ttft_ms, streaming.total_ms, streaming.idle_ms)


def _model(
    name: str, table: ModelTable, defaults: Mapping[str, Credential], breaker: GatewayBreaker, relay: Relay | None
) -> Model:
    made = Model(
        name,
        (),
        _timeouts(table.timeouts),
        table.namespace,
        fallbacks=table.fallback_models,
        breaker=_breaker(table.breaker, breaker),
    )
    if relay is not None and not table.skip_relay:
        return replace(made, providers=(relay_provider(relay, name),))
    providers = tuple(_provider(key, table.providers[key], defaults) for key in table.routing)
    return replace(made, providers=providers, strategy=table.routing_strategy, weights=table.weights)


def _breaker(own: ModelBreaker, general: GatewayBreaker) -> BreakerPolicy:
    values = {name: getattr(own, name) for name in BreakerPolicy.__struct_fields__}
    return BreakerPolicy(**{name: getattr(general, name) if v is None else v for name, v in values.items()})


def _with_storage(model: Model, storage: VertexBatch | None) -> Model:
    """Return the model with the places where Vertex AI's batches come from and go to."""
    if storage is None or storage.storage_type == "none":
        return model
    places = {"batch_input": storage.input_uri_prefix, "batch_output": storage.output_uri_prefix}
    return replace(
        model,
        providers=tuple(
            replace(each, options=each.options | places) if each.type == "gcp_vertex_gemini" else each
            for each in model.providers
        ),
    )


def _embedding_model(
    name: str,
    table: EmbeddingModelTable,
    defaults: Mapping[str, Credential],
    breaker: GatewayBreaker,
    relay: Relay | None,
) -> Model:
    if relay is None or table.skip_relay:
        providers = [
            replace(_provider(key, provider, defaults), timeouts=_one_timeout(provider.timeout_ms, provider.timeouts))
            for key in table.routing
            for provider in (table.providers[key],)
        ]
    else:
        providers = [relay_provider(relay, name)]
    timeouts = _one_timeout(table.timeout_ms, table.timeouts)
    return Model(name, tuple(providers), timeouts, table.namespace, breaker=_breaker(ModelBreaker(), breaker))


def _one_timeout(timeout_ms: int | None, table: TimeoutsTable) -> Timeouts:
    """Return the timeouts of what never streams."""
    return Timeouts(table.non_streaming.total_ms if timeout_ms is None else timeout_ms)


def _provider(name: str, table: AnyProvider, defaults: Mapping[str, Credential]) -> Provider:
    vendor = VENDORS[str(table.__struct_config__.tag)]
    options = {field.name: getattr(table, field.name) for field in fields(table) if field.name in vendor.options}
    plain = {field.name: field.default for field in fields(table)}
    if vendor.type in AWS_TYPES and options["allow_auto_detect_region"]:
        options["region"] = options["region"] or REGION_FROM_SDK
    return Provider(
        name=name,
        type=vendor.type,
        model_name=getattr(table, vendor.model_key, None) or "",
        api_base=getattr(table, "api_base", None),
        credential=provider_credential(table, defaults),
        timeouts=_timeouts(table.timeouts),
        parse_think_blocks=getattr(table, "parse_think_blocks", None),
        discard_unknown_chunks=table.discard_unknown_chunks,
        extra_body=_extra_body(table.extra_body),
        extra_headers=_extra_headers(table.extra_headers),
        provider_tools=getattr(table, "provider_tools", ()),
        options={key: value for key, value in options.items() if value and value != plain[key]},
        cost=tuple(_cost_rule(rule) for rule in table.cost),
        batch_cost=tuple(_cost_rule(rule) for rule in table.batch_cost),
    )


def _cost_rule(table: document_models.CostRule) -> CostRule:
    # A float as it was written, not as the binary number that it became.
    million = table.cost_per_million
    rate = Decimal(repr(table.cost_per_unit)) if million is None else Decimal(repr(million)).scaleb(-6)
    return CostRule(
        whole=_steps(table.pointer or table.pointer_nonstreaming or ""),
        streamed=_steps(table.pointer or table.pointer_streaming or ""),
        rate=rate,
        required=table.required,
    )


def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _extra_body(entries: Iterable[document_parts.ExtraBody]) -> tuple[ExtraBody, ...]:
    return tuple(ExtraBody(entry.pointer, entry.value, entry.delete or False) for entry in entries)


def _extra_headers(entries: Iterable[document_parts.ExtraHeader]) -> tuple[ExtraHeader, ...]:
    return tuple(ExtraHeader(entry.name.lower(), entry.value) for entry in entries)


def _tool(key: str, table: ToolTable) -> Tool:
    return Tool(table.name or key, table.description, _schema(table.parameters), table.strict)


def _schema(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


def _function(
    name: str,
    table: FunctionTable,
    models: Mapping[str, Model],
    tools: Mapping[str, Tool],
    payloads: PayloadPolicy,
) -> Function:
    variants = {key: _variant(key, variant, models) for key, variant in table.variants.items()}
    chat = table if isinstance(table, ChatFunction) else None
    output = None if isinstance(table, ChatFunction) else table.output_schema
    experiment = table.experimentation
    return Function(
        name=name,
        type="json" if chat is None else "chat",
        variants=variants,
        experiment=_default_experiment(table, variants) if experiment is None else _experiment(experiment, variants),
        namespaces={}
        if experiment is None
        else {key: _experiment(nested, variants) for key, nested in experiment.namespaces.items()},
        schemas={source.name: _schema(source.text) for source in schema_sources(table)},
        output_schema=(None if chat is not None else {}) if output is None else _schema(output),
        tools={} if chat is None else {key: tools[key] for key in chat.tools},
        tool_choice="auto" if chat is None else _tool_choice(chat, tools),
        parallel_tool_calls=None if chat is None else chat.parallel_tool_calls,
        description=table.description,
        payloads=table.record.payloads or payloads,
    )


def _tool_choice(table: ChatFunction, tools: Mapping[str, Tool]) -> ToolChoice:
    choice = table.tool_choice
    if isinstance(choice, SpecificTool):
        return Specific(tools[choice.specific].name if choice.specific in table.tools else choice.specific)
    return choice


def _variant(name: str, table: AnyTable, models: Mapping[str, Model]) -> AnyVariant:
    """Return the variant that a table means."""
    match table:
        case ChatCompletion():
            return _call(name, table, models)
        case BestOfN():
            judge = _call(name, table.evaluator, models, json_mode="strict")
            return schema.BestOfN(
                name, table.candidates, judge, table.timeout_s, _timeouts(table.timeouts), table.namespace
            )
        case MixtureOfN():
            fuser = _call(name, table.fuser, models)
            return schema.MixtureOfN(
                name, table.candidates, fuser, table.timeout_s, _timeouts(table.timeouts), table.namespace
            )
        case ChainOfThought():
            call = _call(name, table, models)
            return schema.ChainOfThought(name, call, call.timeouts, call.namespace)
        case InContextLearning():
            call = _call(name, table, models)
            return schema.Dicl(
                name,
                call,
                table.k,
                table.embedding_model,
                table.max_distance,
                table.system_instructions,
                call.timeouts,
                call.namespace,
            )


def _call(name: str, table: Called, models: Mapping[str, Model], *, json_mode: JsonMode | None = None) -> Variant:
    """Return one call of a model; `json_mode` holds where the table says nothing."""
    sources = template_sources(table) if isinstance(table, Prompted) else []
    model = models.get(table.model)
    return Variant(
        name=name,
        model=table.model,
        templates={source.name: source.text for source in sources},
        legacy_roles=frozenset(source.name for source in sources if source.legacy),
        params=Params(
            temperature=table.temperature,
            max_tokens=table.max_tokens,
            seed=table.seed,
            top_p=table.top_p,
            presence_penalty=table.presence_penalty,
            frequency_penalty=table.frequency_penalty,
            stop_sequences=table.stop_sequences,
            reasoning_effort=table.reasoning_effort,
            service_tier=table.service_tier,
            thinking_budget_tokens=table.thinking_budget_tokens,
            verbosity=table.verbosity,
        ),
        json_mode=table.json_mode or json_mode,
        retries=Retries(table.retries.num_retries, table.retries.max_delay_s),
        timeouts=_timeouts(table.timeouts),
        namespace=table.namespace or (model.namespace if model is not None else None),
        extra_body=_extra_body(table.extra_body),
        extra_headers=_extra_headers(table.extra_headers),
    )


def _default_experiment(table: FunctionTable, variants: Mapping[str, AnyVariant]) -> Experiment:
    """Return what holds where nobody wrote `experimentation`.

    Every variant alike; or, where variants have a `weight`, those in proportion: 0 makes a fallback, and a
    variant without a weight serves only who asks for it. A variant of a namespace takes no part.
    """
    weights = {name: table.variants[name].weight for name, variant in variants.items() if variant.namespace is None}
    if all(weight is None for weight in weights.values()):
        return Experiment(dict.fromkeys(weights, 1.0))
    given = {name: weight for name, weight in weights.items() if weight is not None}
    return Experiment(
        {name: weight for name, weight in given.items() if weight > 0},
        tuple(sorted(name for name, weight in given.items() if weight == 0)),
    )


def _experiment(table: Experimentation, variants: Mapping[str, AnyVariant]) -> Experiment:
    if not isinstance(table, (Static, StaticWeights, Uniform)):
        # Refused before; a variant of its own never serves by chance.
        return Experiment({})
    candidates = table.candidate_variants
    fallbacks = table.fallback_variants
    if candidates is None:
        # TensorZero's `uniform` with fallbacks alone draws nothing and tries them in order.
        everyone = [name for name, variant in variants.items() if variant.namespace is None]
        candidates = tuple(everyone) if fallbacks is None else ()
    if not isinstance(table, Static):
        return Experiment(_weights(candidates), tuple(fallbacks or ()))
    segments = [
        Segment(each.tags, Experiment(_weights(each.candidate_variants), each.fallback_variants, table.unit))
        for each in table.segments
    ]
    return Experiment(_weights(candidates), tuple(fallbacks or ()), table.unit, tuple(segments))


def _weights(candidates: tuple[str, ...] | dict[str, float]) -> dict[str, float]:
    weights = candidates if isinstance(candidates, dict) else dict.fromkeys(candidates, 1.0)
    return {name: float(weight) for name, weight in weights.items()}
