"""One battery over the cases of every dialect: what is sent, what is read, how the bytes may be cut, what fails."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from tests.contract.providers.cases import Answer, BrokenStream, Embedded, Failure, Golden, Unservable
from tests.contract.providers.dialects.all import CASES, of

from calibrant.base.errors import ProviderError
from calibrant.types.reply import Chunk, Reply, fold

goldens = pytest.mark.parametrize("case", of(Golden), ids=str)
wholes = pytest.mark.parametrize("case", [case for case in of(Answer) if case.whole is not None], ids=str)
streams = pytest.mark.parametrize("case", [case for case in of(Answer) if case.stream is not None], ids=str)


def same(reply: Reply) -> Reply:
    """Return the reply without what a stream has in other bytes."""
    usage = replace(reply.usage, raw=b"")
    return replace(reply, raw=b"", usage=usage)


def read(case: Answer | BrokenStream, *pieces: bytes) -> tuple[list[Chunk], ProviderError | None]:
    decoder = case.made().decoder(json_tool=getattr(case, "json_tool", False))
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, error
    return chunks, None


def test_no_two_cases_have_one_name() -> None:
    names = [(type(case), str(case)) for case in CASES]
    assert len(names) == len(set(names))


@goldens
def test_a_call_becomes_this_request(case: Golden) -> None:
    http = case.made().encode(case.call)
    assert http.url == case.url
    assert msgspec.json.decode(http.body) == case.body
    assert set(case.headers) <= set(http.headers)
    assert http.stream == case.call.stream


@wholes
def test_a_whole_answer_means_this(case: Answer) -> None:
    assert case.whole is not None
    reply = case.made().decode(200, case.headers, case.whole, json_tool=case.json_tool)
    assert same(reply) == same(case.reply)
    assert reply.raw == case.whole
    assert bool(reply.usage.raw) == (reply.usage.input_tokens is not None or reply.usage.output_tokens is not None)


@streams
def test_a_stream_folds_to_the_whole(case: Answer) -> None:
    assert case.stream is not None
    chunks, error = read(case, case.stream)
    assert error is None
    assert same(fold(chunks)) == same(case.reply)


@streams
def test_the_chunks_are_the_same_byte_by_byte_and_for_every_cut(case: Answer) -> None:
    stream = case.stream
    assert stream is not None
    expected = read(case, stream)[0]
    assert read(case, *(stream[i : i + 1] for i in range(len(stream))))[0] == expected
    for i in range(len(stream) + 1):
        assert read(case, stream[:i], stream[i:])[0] == expected, i


@streams
def test_every_prefix_is_part_of_the_whole_or_an_error(case: Answer) -> None:
    stream = case.stream
    assert stream is not None
    expected = read(case, stream)[0]
    for i in range(0, len(stream), max(1, len(stream) // 200)):
        chunks, error = read(case, stream[:i])
        assert error is None or isinstance(error, ProviderError)
        if error is None:
            assert same(fold(chunks)).content == same(case.reply).content, i
        else:
            assert [c for c in chunks if c.raw] == [c for c in expected if c.raw][: len([c for c in chunks if c.raw])]


@streams
def test_a_name_comes_once(case: Answer) -> None:
    assert case.stream is not None
    named: dict[str, int] = {}
    for chunk in read(case, case.stream)[0]:
        for delta in chunk.content:
            if getattr(delta, "raw_name", None) is not None:
                named[delta.id] = named.get(delta.id, 0) + 1
    assert all(count == 1 for count in named.values())


@pytest.mark.parametrize("case", of(Failure), ids=str)
def test_an_error_means_this(case: Failure) -> None:
    made = case.made()
    error = made.error(case.status, case.headers, case.body)
    assert case.says in error.message
    assert (error.retryable, error.retry_after, error.upstream_status) == (
        case.retryable,
        case.retry_after,
        case.status,
    )
    assert error.raw_response == case.body
    with pytest.raises(ProviderError):
        made.decode(case.status, case.headers, case.body)


@pytest.mark.parametrize("case", of(BrokenStream), ids=str)
def test_a_broken_stream_ends_in_this_error(case: BrokenStream) -> None:
    whole = read(case, case.stream)
    byte_by_byte = read(case, *(case.stream[i : i + 1] for i in range(len(case.stream))))
    for chunks, error in (whole, byte_by_byte):
        assert type(error) is case.error
        assert case.says in str(error)
        assert error.retryable is case.retryable
        assert same(fold(chunks)) == same(case.partial)


@pytest.mark.parametrize("case", of(Unservable), ids=str)
def test_what_cannot_be_served_is_refused_before_it_is_sent(case: Unservable) -> None:
    with pytest.raises(ProviderError) as caught:
        case.made().encode(case.call)
    assert case.says in caught.value.message
    assert not caught.value.retryable


@pytest.mark.parametrize("case", of(Embedded), ids=str)
def test_embeddings(case: Embedded) -> None:
    made = case.embedder()
    http = made.encode_embedding(case.call)
    assert http.url == case.url
    assert msgspec.json.decode(http.body) == case.body
    reply = made.decode_embedding(200, case.headers, case.answer)
    bare = replace(reply, raw=b"", usage=replace(reply.usage, raw=b""))
    assert bare == replace(case.reply, raw=b"", usage=replace(case.reply.usage, raw=b""))
    assert reply.raw == case.answer
    for body in (b"", b"[]", b"{}", b"<html>", b'{"error": {"message": "no"}}'):
        with pytest.raises(ProviderError):
            made.decode_embedding(200, (), body)
    with pytest.raises(ProviderError, match="429"):
        made.decode_embedding(429, (), b'{"error": {"message": "slow down"}}')
