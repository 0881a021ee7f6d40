"""Content-Encoding: every codec, every split, and bodies that lie."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.errors import BadAnswer
from calibrant.net.encoding import Decoder, decoder_for

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


def make(name: str, max_bytes: int = 2**30, max_expansion: int = 10**9) -> Decoder:
    return Decoder(name, max_bytes=max_bytes, max_expansion=max_expansion)


def unpack(decoder: Decoder, pieces: list[bytes]) -> bytes:
    out = b"".join(part for piece in pieces for part in decoder.feed(piece))
    decoder.finish()
    return out


@pytest.mark.parametrize("name", PACKERS)
@given(data=st.binary(max_size=300), cut=st.integers(0, 400), more=st.integers(0, 400))
def test_any_split_gives_the_same_body(name: str, data: bytes, cut: int, more: int) -> None:
    packed = PACKERS[name](data)
    assert unpack(make(name), [packed[:cut], packed[cut : cut + more], packed[cut + more :]]) == data


@pytest.mark.parametrize("name", PACKERS)
def test_split_at_every_byte(name: str) -> None:
    data = b"the same again and again " * 20
    packed = PACKERS[name](data)
    assert unpack(make(name), [packed[i : i + 1] for i in range(len(packed))]) == data


@pytest.mark.parametrize("name", PACKERS)
def test_large_bodies_come_in_bounded_steps(name: str) -> None:
    data = bytes(5_000_000)
    pieces = list(make(name).feed(PACKERS[name](data)))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 512 * 1024


def test_raw_deflate_and_several_members() -> None:
    assert unpack(make("deflate"), [raw_deflate(b"hello")]) == b"hello"
    assert unpack(make("gzip"), [gzip.compress(b"one") + gzip.compress(b"two")]) == b"onetwo"
    assert unpack(make("zstd"), [zstd.compress(b"one"), zstd.compress(b"two")]) == b"onetwo"
    assert unpack(make("gzip"), [b""]) == b""


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_is_stopped_early(name: str) -> None:
    bomb = PACKERS[name](bytes(20_000_000))
    for limits in ({"max_bytes": 2_000_000}, {"max_expansion": 20}):
        decoder = make(name, **limits)
        out = 0
        with pytest.raises(BadAnswer, match="unpacks to more than"):
            for piece in decoder.feed(bomb):
                out += len(piece)
        assert out < 6_000_000


@pytest.mark.parametrize("name", PACKERS)
def test_a_cut_or_corrupt_body_is_a_bad_answer(name: str) -> None:
    packed = PACKERS[name](b"hello world, hello world, hello there")
    with pytest.raises(BadAnswer, match="cut short"):
        unpack(make(name), [packed[:-3]])
    with pytest.raises(BadAnswer, match="corrupt"):
        unpack(make(name), [b"\x00\xff\xfe\xfd" * 40])


def test_the_head_says_what_to_undo() -> None:
    limits = {"max_bytes": 10, "max_expansion": 10}
    assert decoder_for((("content-type", "x"),), **limits) is None
    assert decoder_for((("content-encoding", "identity"),), **limits) is None
    assert decoder_for((("content-encoding", " GZip "),), **limits) is not None
    with pytest.raises(BadAnswer, match="'compress'"):
        decoder_for((("content-encoding", "compress"),), **limits)
    with pytest.raises(BadAnswer, match="more than once"):
        decoder_for((("content-encoding", "gzip"), ("content-encoding", "br")), **limits)
