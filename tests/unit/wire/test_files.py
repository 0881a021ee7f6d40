from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.errors import InvalidRequest
from calibrant.wire.files import from_base64, from_url

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff" + bytes(9), "image/jpeg"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
        (b"RIFF1234WAVEfmt ", "audio/wav"),
        (b"%PDF-1.7", "application/pdf"),
        (b"", None),
        (b"x", None),
    ],
)
def test_a_media_type_that_nobody_gave_is_read_from_the_first_bytes(content, media):
    assert from_base64(base64.b64encode(content).decode(), path="$").mime_type == media


@given(
    st.one_of(
        st.text(st.sampled_from("AZaz09+/=\n é"), max_size=12), st.binary().map(base64.b64encode).map(bytes.decode)
    )
)
def test_what_is_taken_for_base64_is_base64(text):
    try:
        from_base64(text, path="$")
    except InvalidRequest:
        # Python lets padding pass that nothing needs.
        if len(text) % 4 == 0:
            with pytest.raises(ValueError):
                binascii.a2b_base64(text, strict_mode=True)
    else:
        assert base64.b64encode(base64.b64decode(text, validate=True))[:-4] == text.encode()[:-4]


def test_a_data_url_is_its_data():
    found = from_url("data:image/png;base64,aGk=", path="$")
    assert (found.data, found.mime_type, found.url) == ("aGk=", "image/png", None)


@pytest.mark.parametrize("url", ["data:image/png,aGk=", "data:", "data:;base64", "ftp://x", "data:image/png;base64,a"])
def test_what_is_no_file(url):
    with pytest.raises(InvalidRequest):
        from_url(url, path="$")
