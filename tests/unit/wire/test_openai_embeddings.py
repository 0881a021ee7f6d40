"""OpenAI's embeddings dialect: what is asked, and vectors in the form that was asked for."""

import base64
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.errors import InvalidRequest
from calibrant.types.cached import NO_CACHE, CachePolicy
from calibrant.types.call import EmbeddingCall, EmbeddingReply
from calibrant.types.embedding import Embedded, EmbeddingRequest
from calibrant.types.reply import Usage
from calibrant.types.rows import ModelInferenceRow
from calibrant.wire import openai_embeddings

E = "tensorzero::embedding_model_name::e"


def decode(**fields):
    return openai_embeddings.decode(msgspec.json.encode({"model": E, "input": "a", **fields}))


def encode(vectors, form=None, *, cost=None, usage=None, **fields):
    request = EmbeddingRequest("e", EmbeddingCall(("a",) * len(vectors), encoding_format=form), **fields)
    row = ModelInferenceRow("1", "2", 1, "", "e", "p", "openai", "ok", raw_response=b'{"x":1}', api_type="embeddings")
    reply = EmbeddingReply(tuple(vectors), usage or Usage(3))
    return msgspec.json.decode(openai_embeddings.encode(Embedded(request, reply, cost, (row,))))


@pytest.mark.parametrize(
    ("given_", "made"),
    [
        ("a", ("a",)),
        ("", ("",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
    ],
)
def test_every_form_of_the_input(given_, made):
    assert decode(input=given_).call.input == made


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("input", [], "$.input"),
        ("input", [[]], "$.input[0]"),
        ("input", [[1], []], "$.input[1]"),
        ("input", ["a", 1], "$.input[1]"),
        ("input", [1, "a"], "$.input[1]"),
        ("input", [[1], "a"], "$.input[1]"),
        ("input", [-1], "$.input"),
        ("input", [1.5], "$.input"),
        ("input", [True], "$.input"),
        ("input", None, "$.input"),
        ("input", {"a": 1}, "$.input"),
        ("dimensions", 0, "$.dimensions"),
        ("encoding_format", "int8", "$.encoding_format"),
        ("model", "", "$.model"),
        ("model", "tensorzero::embedding_model_name::", "$.model"),
        ("model", "tensorzero::model_name::e", "$.model"),
        ("model", "calibrant::function_name::e", "$.model"),
        ("model", "a\0b", "$.model"),
        ("tensorzero::namespace", "", "$.tensorzero::namespace"),
        ("tensorzero::credentials", {"a\0": "b"}, "$.tensorzero::credentials"),
    ],
)
def test_what_is_wrong_is_a_400_with_its_place(field, value, where):
    with pytest.raises(InvalidRequest) as caught:
        decode(**{field: value})
    assert f"`{where}" in caught.value.message


def test_no_field_may_be_left_out_and_no_json_is_a_400():
    for body in (b"{}", b'{"model":"e"}', b'{"input":"a"}', b"[", b"\xff", b"[" * 100_000):
        with pytest.raises(InvalidRequest):
            openai_embeddings.decode(body)


@pytest.mark.parametrize(
    ("model", "prefix", "name"),
    [
        (E, "tensorzero", "e"),
        ("calibrant::embedding_model_name::e", "calibrant", "e"),
        ("tensorzero::embedding_model_name::openai::x", "tensorzero", "openai::x"),
        ("e", "tensorzero", "e"),
        ("openai::text-embedding-3-small", "tensorzero", "openai::text-embedding-3-small"),
        ("a::b::c", "tensorzero", "a::b::c"),
    ],
)
def test_whom_it_is_for(model, prefix, name):
    asked = decode(model=model)
    assert (asked.prefix, asked.model_name) == (prefix, name)


@pytest.mark.parametrize("prefix", ["tensorzero", "calibrant"])
def test_our_own_fields_under_either_prefix(prefix):
    asked = decode(
        **{
            f"{prefix}::credentials": {"k": "v"},
            f"{prefix}::dryrun": True,
            f"{prefix}::cache_options": {"enabled": "off"},
            f"{prefix}::include_raw_response": True,
            f"{prefix}::namespace": "n",
        },
        dimensions=8,
        encoding_format="base64",
        user="ignored",
        anything=1,
    )
    assert (asked.credentials, asked.namespace, asked.include_raw_response) == ({"k": "v"}, "n", True)
    assert asked.call == EmbeddingCall(("a",), 8, "base64")


def test_what_is_unknown_is_refused_where_that_is_asked_for():
    strict = {"tensorzero::deny_unknown_fields": True}
    assert decode(**strict, user="u").model_name == "e"
    with pytest.raises(InvalidRequest, match="anything"):
        decode(**strict, anything=1)


@pytest.mark.parametrize(
    ("mode", "dry"), [("off", "off"), ("on", "read_only"), ("read_only", "read_only"), ("write_only", "off")]
)
@pytest.mark.parametrize("prefix", ["tensorzero", "calibrant"])
def test_how_the_cache_is_used_and_that_a_dry_run_puts_nothing_into_it(prefix, mode, dry):
    asked = {f"{prefix}::cache_options": {"enabled": mode, "max_age_s": 5}}
    assert decode(**asked).cache == CachePolicy(mode, 5)
    assert decode(**asked, **{f"{prefix}::dryrun": True}).cache == CachePolicy(dry, 5)
    assert decode().cache == NO_CACHE


FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(st.lists(FLOAT32, min_size=1, max_size=9), min_size=1, max_size=4))
def test_each_form_comes_in_either(vectors):
    """Packed by `struct` here, which names the order of the bytes; by the machine's own there."""
    packed = [base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() for vector in vectors]
    for told in ([tuple(vector) for vector in vectors], packed):
        for form, wanted in (("base64", packed), ("float", vectors), (None, vectors)):
            answer = encode(told, form)
            assert [each["embedding"] for each in answer["data"]] == wanted
            assert [each["index"] for each in answer["data"]] == list(range(len(vectors)))


def test_the_answer_as_openai_has_it():
    answer = encode([(0.5, -1.0)], cost="0.00000016")
    assert answer == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}],
        "model": E,
        "usage": {"prompt_tokens": 3, "total_tokens": 3, "tensorzero_cost": 0.00000016},
    }


def test_the_prefix_of_the_request_is_echoed():
    answer = encode([(1.0,)], prefix="calibrant", include_raw_response=True)
    assert answer["model"] == "calibrant::embedding_model_name::e"
    assert answer["usage"]["calibrant_cost"] is None and "tensorzero_cost" not in answer["usage"]
    (raw,) = answer["calibrant_raw_response"]
    assert (raw["api_type"], raw["data"], raw["provider_type"]) == ("embeddings", '{"x":1}', "openai")


def test_tokens_that_nobody_counted_are_null():
    assert encode([(1.0,)], usage=Usage())["usage"] == {
        "prompt_tokens": None,
        "total_tokens": None,
        "tensorzero_cost": None,
    }
