"""Compressed request bodies."""

import gzip
import sys
import tracemalloc
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.errors import InvalidRequest, PayloadTooLarge, UnsupportedEncoding
from calibrant.server.decompress import ENCODINGS, unpack

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}


def test_every_encoding_is_tested():
    assert set(PACK) == set(ENCODINGS)


@pytest.mark.parametrize("name", PACK)
@given(body=st.binary(max_size=2000))
def test_round_trip(name, body):
    assert b"".join(unpack(PACK[name](body), name, 2000)) == body


@pytest.mark.parametrize("name", PACK)
def test_the_limit_is_exact(name):
    packed = PACK[name](bytes(1_000_000))
    assert len(b"".join(unpack(packed, f" {name.upper()} ", 1_000_000))) == 1_000_000
    with pytest.raises(PayloadTooLarge, match="999999"):
        list(unpack(packed, name, 999_999))


@pytest.mark.parametrize("name", PACK)
def test_a_bomb_is_never_unpacked(name):
    # The hardest setting of brotli takes seconds to make it.
    pack = PACK[name] if name != "br" else lambda data: brotli.compress(data, quality=4)
    bomb = pack(bytes(200 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLarge):
            for _ in unpack(bomb, name, 4 * 2**20):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20


@pytest.mark.parametrize("name", PACK)
def test_corrupt_and_cut_short(name):
    packed = PACK[name](bytes(range(256)) * 40)
    for bad in (packed[:-3], packed[: len(packed) // 2], b"\xff\xfe\xfd" + packed, b"plain text, not packed"):
        with pytest.raises(InvalidRequest, match=name):
            list(unpack(bad, name, 10**6))


def test_members_and_raw_deflate():
    assert b"".join(unpack(gzip.compress(b"a") + gzip.compress(b"b"), "x-gzip", 10)) == b"ab"
    raw = zlib.compressobj(wbits=-15)
    assert b"".join(unpack(raw.compress(b"raw") + raw.flush(), "deflate", 10)) == b"raw"


@pytest.mark.parametrize("name", ["snappy", "gzip, br", "chunked", "é"])
def test_other_encodings(name):
    with pytest.raises(UnsupportedEncoding, match="gzip, br, zstd, deflate"):
        list(unpack(b"", name, 10))


@pytest.mark.parametrize("name", ["", "identity", "Identity"])
def test_no_encoding(name):
    assert list(unpack(b"as it is", name, 10)) == [b"as it is"]
