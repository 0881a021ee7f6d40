"""The straight line for embeddings: resolve the model; encode, sign, send, decode; the next provider where one fails.

No inference is recorded: embeddings belong to no function and no episode. What else needs vectors for an inference
calls `embed` with that inference's journal, and its calls are recorded there.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

from msgspec.structs import replace

from calibrant.base.errors import (
    BadAnswer,
    CalibrantError,
    ClientDisconnected,
    InferenceTimeout,
    InvalidRequest,
    MissingCredential,
    ProviderError,
)
from calibrant.base.ids import uuid7
from calibrant.config.vendors import RELAY
from calibrant.engine.attempt import each_provider
from calibrant.engine.caching import key_of, put, recall
from calibrant.engine.compiled import CompiledEmbedder, CompiledModel
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.grants import check_embedding_model, check_model
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.limits import Limit, outermost
from calibrant.engine.relaying import passed_on
from calibrant.providers.extra import changed
from calibrant.types.cached import Cached
from calibrant.types.call import EmbeddingReply, HttpCall
from calibrant.types.embedding import Embedded, EmbeddingRequest
from calibrant.types.extra import ExtraBody
from calibrant.types.reply import Reply, Usage
from calibrant.wire.raw import raw_responses

__all__ = ["answer_embeddings", "embed"]

_API_TYPE = "embeddings"
_NOTHING_USED = Usage(0, 0)


async def answer_embeddings(engine: Engine, request: EmbeddingRequest, caller: Caller, started: float) -> Embedded:
    """Embed what a request brought, and count it.

    Args:
        engine: The engine.
        request: What was asked.
        caller: Where it came from.
        started: Monotonic seconds at which the request had arrived.

    Raises:
        Forbidden: the caller's API key may not ask the model.
        NotFound: there is no such embedding model.
        InvalidRequest: the model serves another namespace.
        MissingCredential: no provider could be asked, for want of a credential.
        ProvidersExhausted: every provider failed.
        InferenceTimeout: the model's time is over.
        ClientDisconnected: nobody waits for it any more.
    """
    journal = Journal(uuid7())
    try:
        if caller.grants is not None:
            check_embedding_model(engine, request.model_name, caller.grants)
        reply = await embed(engine, request, caller, journal)
    except CalibrantError as error:
        if request.include_raw_response:
            error.provider_answers = tuple(raw_responses(journal.rows))
        _count(engine, caller, journal, started, error.code)
        raise
    _count(engine, caller, journal, started, "ok")
    return Embedded(request, reply, journal.cost(), tuple(journal.rows))


async def embed(
    engine: Engine,
    request: EmbeddingRequest,
    caller: Caller,
    journal: Journal,
    *,
    variant_name: str = "",
    limit: Limit | None = None,
) -> EmbeddingReply:
    """Return one vector for each input.

    Args:
        engine: The engine.
        request: The model, what to embed, and how.
        caller: For whom: its API key may have a list of models, and a cache of its own.
        journal: Where each call of a provider is noted; the last row of it is the call that answered.
        variant_name: For the rows, where the call is part of a variant's work.
        limit: What is around it, such as the variant's time; the journal's, else the gateway's own, where it is null.

    Raises:
        Forbidden: the caller's API key may not have the model called.
        NotFound: there is no such embedding model.
        InvalidRequest: the model serves another namespace.
        MissingCredential: no provider could be asked, for want of a credential.
        ProvidersExhausted: every provider failed.
        InferenceTimeout: the time is over.
        ClientDisconnected: nobody waits for it any more.
    """
    if caller.grants is not None:
        check_model(request.model_name, caller.grants)
    model = engine.compiler.embedding_model(request.model_name)
    _check_namespace(model, request.namespace)
    outer = limit or journal.limit or outermost(engine.config.gateway, monotonic())
    reply: EmbeddingReply | None = None
    for step in each_provider(engine, model, variant_name, journal, outer, stream=False):
        step.api_type = _API_TYPE
        try:
            http = _prepared(engine, request, caller, step)
            asked = _ask(engine, request, http, step)
            reply = await (asked if caller.presence is None else caller.presence.wait_for(asked))
        except (ProviderError, InferenceTimeout, MissingCredential) as error:
            step.error = step.discreet(error)
        except ClientDisconnected as error:
            journal.failed(step, error, monotonic())
            raise
        else:
            journal.succeeded(step, _as_reply(reply), monotonic())
    assert reply is not None, "attempts end with an answer or an error"
    return reply


def _prepared(
    engine: Engine, request: EmbeddingRequest, caller: Caller, step: ProviderCall[CompiledEmbedder]
) -> HttpCall:
    provider = step.provider.provider
    embedder = step.provider.speaking(request.credentials)
    http = embedder.encode_embedding(request.call)
    if provider.extra_body or provider.extra_headers:
        http = changed(http, provider.extra_body, provider.extra_headers)
    if provider.type == RELAY:
        http = changed(http, tuple(_onward(request)), ())
    step.raw_request = http.body
    step.cache_key = key_of(engine, request, caller, step, http)
    if provider.type == RELAY:
        step.secret = passed_on(engine, provider, request.credentials)
    else:
        step.secret = engine.secrets.get(provider.credential, request.credentials)
    return embedder.sign(http, step.secret, engine.clock.wall_ms() / 1e3)


def _onward(request: EmbeddingRequest) -> Iterator[ExtraBody]:
    """Yield what another gateway is told beside the call."""
    if request.namespace is not None:
        yield ExtraBody("/tensorzero::namespace", request.namespace)
    if request.include_raw_response:
        yield ExtraBody("/tensorzero::include_raw_response", True)


async def _ask(
    engine: Engine, request: EmbeddingRequest, http: HttpCall, step: ProviderCall[CompiledEmbedder]
) -> EmbeddingReply:
    embedder = step.provider.embedder
    if step.cache_key is not None:

        def decode(held: Cached) -> EmbeddingReply:
            reply = embedder.decode_embedding(200, held.headers, held.body)
            _check_count(step, reply, len(request.call.input))
            return replace(reply, usage=_NOTHING_USED, raw=b"")

        held = await recall(engine, request.cache, step, decode)
        if held is not None:
            return held
    response = await engine.sender.send(http, step.limit.deadline(stream=False))
    body = await response.read()
    reply = embedder.decode_embedding(response.status, response.headers, body)
    _check_count(step, reply, len(request.call.input))
    if step.cache_key is not None and engine.config.record.payloads == "full":
        put(engine, request.cache, step, response.headers, body)
    return reply


def _check_namespace(model: CompiledModel[CompiledEmbedder], namespace: str | None) -> None:
    home = model.model.namespace
    if home not in (None, namespace):
        raise InvalidRequest(
            f"namespace: the embedding model {model.model.name!r} serves only requests of the namespace {home!r}; "
            + ("send `namespace`" if namespace is None else f"this one is of {namespace!r}")
        )


def _check_count(step: ProviderCall[CompiledEmbedder], reply: EmbeddingReply, count: int) -> None:
    """Refuse an answer that leaves it open which vector is whose."""
    if len(reply.embeddings) != count:
        raise BadAnswer(
            f"provider {step.provider.provider.name!r}: {len(reply.embeddings)} embeddings for {count} inputs",
            upstream_status=200,
            raw_response=reply.raw,
        )


def _as_reply(reply: EmbeddingReply) -> Reply:
    """Return the answer as the record has answers. Vectors are no tokens, so none were made."""
    used = reply.usage
    usage = Usage(used.input_tokens, 0, used.cache_read_tokens, used.cache_write_tokens, raw=used.raw)
    return Reply((), usage, None, reply.raw, reply.model, request_id=reply.request_id)


def _count(engine: Engine, caller: Caller, journal: Journal, started: float, status: str) -> None:
    model_name = journal.rows[-1].model_name if journal.rows else ""
    engine.metrics.count_inference(
        (caller.endpoint, "", model_name, "", status),
        journal.counted(),
        max(0.0, monotonic() - started - journal.upstream_s),
    )
