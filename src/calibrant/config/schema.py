"""The configuration as the rest of the house sees it: frozen, complete, cross-checked.

What a person writes in TOML is described by `document.py`; `load.py` turns that into a `Config`.
Nothing here holds a secret: credentials are locations, resolved into `Secret` values by `secret.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from calibrant.types.extra import ExtraBody, ExtraHeader
from calibrant.types.request import NO_PARAMS, JsonMode, Params
from calibrant.types.storage import StorageKind
from calibrant.types.tool import Tool, ToolChoice

__all__ = [
    "AnyVariant",
    "Auth",
    "AwsLocations",
    "BatchSettings",
    "BestOfN",
    "BreakerPolicy",
    "CacheScope",
    "CacheSettings",
    "ChainOfThought",
    "ClickHouseHome",
    "Config",
    "CostRule",
    "Credential",
    "Dicl",
    "Durability",
    "Experiment",
    "FilePolicy",
    "Function",
    "Gateway",
    "Metric",
    "MixtureOfN",
    "Model",
    "NativeBatches",
    "OnClientDisconnect",
    "PayloadPolicy",
    "Provider",
    "RecordPolicy",
    "Relay",
    "Retention",
    "Retries",
    "Segment",
    "SpoolPolicy",
    "Strategy",
    "Timeouts",
    "Variant",
]

Durability = Literal["memory", "kernel", "disk"]
CacheScope = Literal["api_key", "shared"]
NativeBatches = Literal["auto", "always", "never"]
PayloadPolicy = Literal["full", "metadata", "none"]
OnClientDisconnect = Literal["drain", "cancel"]
"""What becomes of an inference whose client has left: it goes on, or it ends."""
Strategy = Literal["ordered", "weighted", "least_latency", "cheapest"]
"""Which of a model's providers is called first."""


class AwsLocations(Struct, frozen=True):
    """Where each part of AWS's keys is."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


class Credential(Struct, frozen=True):
    """Where a secret comes from.

    A location is `env::X`, `path::P`, `path_from_env::X`, `dynamic::name` or `none`; or `sdk::aws`, the chain of
    AWS's SDK; `sdk::gcp`, Google's application default credentials; `gcp::LOCATION`, a token for the service
    account whose JSON key is at that location.
    """

    default: str
    fallback: str | None = None
    aws: AwsLocations | None = None
    """AWS's keys one by one; the others do not count then."""


class Timeouts(Struct, frozen=True):
    """Milliseconds; null is no limit of its own."""

    total_ms: int | None = None
    """Whole answer of a call that does not stream."""
    ttft_ms: int | None = None
    """First chunk of a stream."""
    stream_total_ms: int | None = None
    """Whole stream."""
    idle_ms: int | None = None
    """Between two pieces of a stream."""


class Retries(Struct, frozen=True):
    """Retries of one variant, after all providers of its model have failed."""

    num_retries: int = 0
    max_delay_s: float = 10.0


class CostRule(Struct, frozen=True):
    """What one number of a provider's answer costs."""

    whole: tuple[str, ...]
    """Steps of a JSON Pointer into a whole answer."""
    streamed: tuple[str, ...]
    """Steps of one into each event of a stream; the largest number counts."""
    rate: Decimal
    """US dollars for one; a negative one is a discount."""
    required: bool = False
    """Whether the cost is unknown without the number; else it counts as 0."""


class Provider(Struct, frozen=True):
    """One way to reach a model."""

    name: str
    type: str
    """A row of the provider catalogue, such as `openai` or `groq`."""
    model_name: str = ""
    """The vendor's name of the model; empty where the server knows only one."""
    api_base: str | None = None
    """Null for the vendor's own address."""
    credential: Credential = Credential("none")
    timeouts: Timeouts = Timeouts()
    parse_think_blocks: bool | None = None
    """Null for the vendor's default."""
    discard_unknown_chunks: bool = False
    extra_body: tuple[ExtraBody, ...] = ()
    extra_headers: tuple[ExtraHeader, ...] = ()
    provider_tools: tuple[dict[str, Any], ...] = ()
    """Tools that the provider itself runs, in its own words."""
    options: dict[str, Any] = {}
    """Keys that only this provider type knows, such as `reasoning_format`."""
    cost: tuple[CostRule, ...] = ()
    """What a call costs; empty to look its price up."""
    batch_cost: tuple[CostRule, ...] = ()
    """The same, for calls of the provider's own batches."""


class BreakerPolicy(Struct, frozen=True):
    """When calls go around a provider that keeps failing, and for how long."""

    enabled: bool = True
    failures: int = 5
    """In a row."""
    open_s: float = 5.0
    """At first; twice as long each time that it does not recover."""
    max_open_s: float = 300.0


class Model(Struct, frozen=True):
    """A named model and its providers, in routing order."""

    name: str
    providers: tuple[Provider, ...]
    timeouts: Timeouts = Timeouts()
    namespace: str | None = None
    strategy: Strategy = "ordered"
    weights: dict[str, float] = {}
    """By provider, for the strategy `weighted`."""
    fallbacks: tuple[str, ...] = ()
    """Models that take over when every provider has failed."""
    breaker: BreakerPolicy = BreakerPolicy()


class Variant(Struct, frozen=True, tag="chat_completion"):
    """One implementation of a function: a model, prompts and parameters."""

    name: str
    model: str
    templates: dict[str, str] = {}
    """Source of each template by name; `system`, `user` and `assistant` are the role templates."""
    legacy_roles: frozenset[str] = frozenset()
    """Roles whose template was set by a legacy key (`user_template`): plain text is passed to it as a variable."""
    params: Params = NO_PARAMS
    json_mode: JsonMode | None = None
    retries: Retries = Retries()
    timeouts: Timeouts = Timeouts()
    namespace: str | None = None
    extra_body: tuple[ExtraBody, ...] = ()
    extra_headers: tuple[ExtraHeader, ...] = ()


class BestOfN(Struct, frozen=True, tag="best_of_n"):
    """Several candidates answer; a model picks one of their answers."""

    name: str
    candidates: tuple[str, ...]
    """Variants of the same function; one may be named more than once."""
    judge: Variant
    """Who picks. It has the name of the whole."""
    candidate_timeout_s: float | None = None
    """How long each candidate may take."""
    timeouts: Timeouts = Timeouts()
    namespace: str | None = None


class MixtureOfN(Struct, frozen=True, tag="mixture_of_n"):
    """Several candidates answer; a model makes one answer of theirs."""

    name: str
    candidates: tuple[str, ...]
    fuser: Variant
    """Who answers in the end. It has the name of the whole."""
    candidate_timeout_s: float | None = None
    timeouts: Timeouts = Timeouts()
    namespace: str | None = None


class ChainOfThought(Struct, frozen=True, tag="chain_of_thought"):
    """One call of a model that is made to think before it writes its JSON."""

    name: str
    call: Variant
    timeouts: Timeouts = Timeouts()
    namespace: str | None = None


class Dicl(Struct, frozen=True, tag="dicl"):
    """Dynamic in-context learning: one call of a model, after the demonstrations nearest to the request."""

    name: str
    call: Variant
    k: int
    """How many demonstrations, at most."""
    embedding_model: str | None = None
    """Null to compare texts by what they are made of."""
    max_distance: float | None = None
    """Cosine distance beyond which a demonstration is none."""
    system_instructions: str | None = None
    timeouts: Timeouts = Timeouts()
    namespace: str | None = None


AnyVariant = Variant | BestOfN | MixtureOfN | ChainOfThought | Dicl


class Experiment(Struct, frozen=True):
    """How traffic is drawn: weights of candidates, then fallbacks in order."""

    candidates: dict[str, float]
    fallbacks: tuple[str, ...] = ()
    unit: str | None = None
    """The tag whose value keeps its variant, such as a user's id; null for the episode, which is also what counts where
    a request lacks the tag."""
    segments: tuple[Segment, ...] = ()
    """Who has an experiment of their own; the first that a request belongs to counts."""


class Segment(Struct, frozen=True):
    """Requests with certain tags, and what is drawn for them."""

    tags: dict[str, str]
    """A request belongs to it that has all of these."""
    experiment: Experiment


class Function(Struct, frozen=True):
    """A named task with its contract."""

    name: str
    type: Literal["chat", "json"]
    variants: dict[str, AnyVariant]
    experiment: Experiment
    namespaces: dict[str, Experiment] = {}
    schemas: dict[str, dict[str, Any]] = {}
    """JSON Schema of the arguments of each template, by template name."""
    output_schema: dict[str, Any] | None = None
    """For a JSON function, the schema of what it returns."""
    tools: dict[str, Tool] = {}
    """By configuration key; `Tool.name` is what the model sees."""
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool | None = None
    description: str = ""
    payloads: PayloadPolicy = "full"


class Metric(Struct, frozen=True):
    """Something that feedback can measure."""

    name: str
    type: Literal["boolean", "float"]
    optimize: Literal["min", "max"]
    level: Literal["inference", "episode"]
    description: str = ""


class SpoolPolicy(Struct, frozen=True):
    """How the spool keeps what happened until the store has it."""

    durability: Durability = "kernel"
    max_bytes: int = 4 * 2**30
    min_free_bytes: int = 512 * 2**20
    when_full: Literal["reject", "shed"] = "reject"
    segment_bytes: int = 32 * 2**20


class Retention(Struct, frozen=True):
    """How long the record is kept, and how large it may grow."""

    payload_days: int = 30
    """Days until inputs, outputs and raw calls are dropped; 0 keeps them."""
    max_database_bytes: int = 20 * 2**30
    """Oldest payloads go first past this; 0 is no limit. A warning comes at 80 %."""
    metadata_days: int = 0
    """Days until inferences and model calls go; 0 keeps them."""
    feedback_days: int = 0


class ClickHouseHome(Struct, frozen=True):
    """How the record lies in ClickHouse."""

    migrates: bool = True
    """The recorder brings the schema up to date when it starts."""
    cluster: str | None = None
    """The cluster on whose servers the tables are made; null is one server."""
    replicated: bool | None = None
    """Each server has a copy; null where there is a cluster."""
    sharded: bool = False
    """Rows are spread over the shards of the cluster."""


class RecordPolicy(Struct, frozen=True):
    """What of a payload is kept."""

    payloads: PayloadPolicy = "full"
    redact: str | None = None
    """`package.module:function`, called with each payload (bytes, what it is) before it is spooled."""
    search: bool = True
    """Keep an index of texts, for searches."""


class CacheSettings(Struct, frozen=True):
    """The response cache."""

    enabled: bool = True
    scope: CacheScope = "api_key"
    """Who shares answers: only requests with the same API key, or everyone."""
    ttl_s: int = 86_400
    max_bytes: int = 256 * 2**20
    max_entry_bytes: int = 2**20
    memory_bytes: int = 32 * 2**20
    """How much each worker remembers beside the database."""


class Relay(Struct, frozen=True):
    """Another gateway, which makes the calls of models."""

    url: str
    credential: Credential = Credential("none")


class Auth(Struct, frozen=True):
    """Whether callers need an API key."""

    enabled: bool = False
    cache_ttl_ms: int = 1000
    """How long an answer about a key is kept; 0 asks every time."""


class FilePolicy(Struct, frozen=True):
    """Which files that requests name by address are fetched, and how."""

    always: bool = False
    """Fetch every one; else only those whose provider takes no address."""
    max_bytes: int = 20 * 2**20
    """Of one file, as sent and once decompressed."""
    max_files: int = 32
    """Of one request."""
    timeout_s: float = 10.0
    """For one file, redirects included."""
    max_redirects: int = 5
    allow_private: bool = False
    """Whether addresses that are not public may be fetched from."""
    content_types: tuple[str, ...] = (
        "image/*",
        "audio/*",
        "video/*",
        "application/pdf",
        "text/plain",
        "text/markdown",
        "text/csv",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.*",
    )
    """What a file may be; `*` at the end of one stands for anything."""


class BatchSettings(Struct, frozen=True):
    """Batch inference."""

    concurrency: int = 8
    """How many elements of the gateway's own batches each worker makes at the same time."""
    native: NativeBatches = "auto"
    """Whether batches go to batch interfaces of providers: `auto` at the vendors' own addresses, `always`, `never`."""
    lease_s: float = 15.0
    """How long a worker that says nothing keeps a batch."""
    keep_answers_s: int = 86_400
    """How long answers are kept beside the record, once a batch has ended."""


class Gateway(Struct, frozen=True):
    """The HTTP server."""

    host: str = "127.0.0.1"
    port: int = 3000
    workers: int = 1
    base_path: str = ""
    debug: bool = False
    global_outbound_http_timeout_ms: int = 900_000
    stream_read_timeout_ms: int | None = None
    """Between two pieces of any stream."""
    on_client_disconnect: OnClientDisconnect = "drain"
    overhead_buckets: tuple[float, ...] = (0.001, 0.01, 0.1)
    """Upper bounds, in seconds, of the overhead histogram; empty turns it off."""
    unstable_error_json: bool = False
    disable_feedback_target_validation: bool = False
    template_base_path: str | None = None
    drain_timeout_s: float = 30.0
    ca_bundle: str | None = None
    """PEM file of certificate authorities to trust beside the system's."""
    header_timeout_s: float = 15.0
    body_timeout_s: float = 60.0
    max_body_bytes: int = 100 * 2**20
    cache: CacheSettings = CacheSettings()
    auth: Auth = Auth()
    relay: Relay | None = None
    files: FilePolicy = FilePolicy()
    batch: BatchSettings = BatchSettings()


class Config(Struct, frozen=True):
    """All of it. Made by `load.load`, never changed; a reload makes another."""

    gateway: Gateway
    functions: dict[str, Function]
    models: dict[str, Model]
    metrics: dict[str, Metric]
    tools: dict[str, Tool]
    includes: dict[str, str]
    """Templates that others may include or import, by their path under the base path."""
    spool: SpoolPolicy
    retention: Retention
    record: RecordPolicy
    observability: bool
    """False when the configuration turns the record off."""
    provider_defaults: dict[str, Credential]
    """Default credential by provider type, where the configuration overrides the catalogue's."""
    hash: str
    """Hash of the canonical form, in hex; stands on each row."""
    canonical: bytes
    """The canonical form as JSON: the merged document with the files it names."""
    warnings: tuple[str, ...] = ()
    object_storage: StorageKind | None = None
    """Where files of users are kept; null for the data folder."""
    embedding_models: dict[str, Model] = {}
    postgres_connections: int = 20
    """How many connections to PostgreSQL a worker may have."""
    clickhouse: ClickHouseHome = ClickHouseHome()

    def providers(self) -> Iterator[tuple[tuple[str, ...], Provider]]:
        """Yield every configured provider after its place in the document."""
        for section, models in (("models", self.models), ("embedding_models", self.embedding_models)):
            for model in models.values():
                for provider in model.providers:
                    yield (section, model.name, "providers", provider.name), provider
