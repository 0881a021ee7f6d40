"""OpenAI's embeddings dialect: `/openai/v1/embeddings`, in and out.

Providers tell vectors as numbers or as base64, whatever they were asked for; a caller gets the form that it asked for.
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode, b64encode
from typing import Literal

import msgspec
from msgspec import UNSET, Raw

from calibrant.apischema import openai_embeddings as shape
from calibrant.types.cached import NO_CACHE, CachePolicy
from calibrant.types.call import EmbeddingCall
from calibrant.types.embedding import Embedded, EmbeddingRequest
from calibrant.wire import body as checks
from calibrant.wire.body import invalid
from calibrant.wire.raw import with_raw_responses

__all__ = ["decode", "encode"]

_LENIENT = msgspec.json.Decoder(shape.EmbeddingsBody)
_STRICT = msgspec.json.Decoder(shape.StrictEmbeddingsBody)
_json = msgspec.json.Encoder().encode
_KIND = "embedding_model_name"
_SWAPPED = sys.byteorder == "big"


def decode(body: bytes) -> EmbeddingRequest:
    """Return the embeddings that a body asks for.

    Raises:
        InvalidRequest: the body is malformed or asks for nothing; the message has the JSON path.
    """
    asked = checks.parse(_LENIENT, body)
    if asked.tensorzero_deny_unknown_fields or asked.calibrant_deny_unknown_fields:
        checks.parse(_STRICT, body)
    prefix, name = _target(asked.model)
    namespace = asked.tensorzero_namespace if asked.calibrant_namespace is None else asked.calibrant_namespace
    if namespace == "":
        raise invalid("must not be empty; leave it out for no namespace", f"$.{prefix}::namespace")
    credentials = asked.calibrant_credentials or asked.tensorzero_credentials or {}
    checks.check_names([("$.model", name), *((f"$.{prefix}::credentials", key) for key in credentials)])
    return EmbeddingRequest(
        model_name=name,
        call=EmbeddingCall(_inputs(asked.input), asked.dimensions, asked.encoding_format),
        namespace=namespace,
        credentials=credentials,
        cache=_cache(asked),
        include_raw_response=asked.calibrant_include_raw_response or asked.tensorzero_include_raw_response or False,
        prefix=prefix,
    )


def encode(embedded: Embedded) -> bytes:
    """Return the body of the answer."""
    request, reply = embedded.request, embedded.reply
    form = request.call.encoding_format or "float"
    tokens = reply.usage.input_tokens
    price = None if embedded.cost is None else Raw(embedded.cost.encode())
    ours = request.prefix == "calibrant"
    answer = shape.EmbeddingsAnswer(
        data=[shape.Embedding(_vector(vector, form), place) for place, vector in enumerate(reply.embeddings)],
        model=f"{request.prefix}::{_KIND}::{request.model_name}",
        usage=shape.EmbeddingsUsage(
            prompt_tokens=tokens,
            total_tokens=tokens,
            tensorzero_cost=UNSET if ours else price,
            calibrant_cost=price if ours else UNSET,
        ),
    )
    body = _json(answer)
    return with_raw_responses(body, request.prefix, embedded.calls) if request.include_raw_response else body


def _cache(asked: shape.EmbeddingsBody) -> CachePolicy:
    options = asked.calibrant_cache_options or asked.tensorzero_cache_options
    if options is None:
        return NO_CACHE
    policy = checks.to_cache_policy(options)
    if not (asked.calibrant_dryrun or asked.tensorzero_dryrun):
        return policy
    # A dry run leaves nothing behind.
    return CachePolicy("read_only" if policy.reads else "off", policy.max_age_s)


def _target(name: str) -> tuple[str, str]:
    """Return the prefix that a model's name was written with, and the name itself."""
    prefix, kind, rest = parts if len(parts := name.split("::", 2)) == 3 else ("", "", "")
    if prefix not in ("tensorzero", "calibrant"):
        prefix, rest = "tensorzero", name
    elif kind != _KIND:
        rest = ""
    if not rest:
        raise invalid(
            f"{name!r} is no embedding model; send `tensorzero::{_KIND}::<model>` (`calibrant::` works as well)",
            "$.model",
        )
    return prefix, rest


def _inputs(given: str | list[str | int | tuple[int, ...]]) -> tuple[str | tuple[int, ...], ...]:
    if isinstance(given, str):
        return (given,)
    if not given:
        raise invalid("must not be empty; send a text, texts, or token ids", "$.input")
    inputs: list[str | tuple[int, ...]] = []
    ids: list[int] = []
    for place, item in enumerate(given):
        if type(item) is not type(given[0]):
            raise invalid("is of another kind than what stands before it; send texts or token ids", f"$.input[{place}]")
        if isinstance(item, int):
            ids.append(item)
        elif item == ():
            raise invalid("must not be empty; send the token ids of a text", f"$.input[{place}]")
        else:
            inputs.append(item)
    return (tuple(ids),) if ids else tuple(inputs)


def _vector(vector: tuple[float, ...] | str, form: Literal["float", "base64"]) -> tuple[float, ...] | str:
    if isinstance(vector, str):
        return vector if form == "base64" else _unpacked(vector)
    return _packed(vector) if form == "base64" else vector


def _packed(numbers: tuple[float, ...]) -> str:
    """Return the numbers as little-endian float32 in base64, whatever the machine's own order is."""
    data = array("f", numbers)
    if _SWAPPED:
        data.byteswap()
    return b64encode(data.tobytes()).decode()


def _unpacked(text: str) -> tuple[float, ...]:
    data = array("f", b64decode(text))
    if _SWAPPED:
        data.byteswap()
    return tuple(data)
