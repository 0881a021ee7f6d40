"""What files are, by their first bytes and their names."""

import pytest

from calibrant.types.media import SNIFFED, ending_of, plain_type, sniff, type_by_name

CONTENTS = {
    b"\x89PNG\r\n\x1a\nxx": "image/png",
    b"\xff\xd8\xff\xe0\x00": "image/jpeg",
    b"GIF89a": "image/gif",
    b"RIFF\x00\x00\x00\x00WEBPVP8 ": "image/webp",
    b"RIFF\x00\x00\x00\x00WAVEfmt ": "audio/wav",
    b"RIFF\x00\x00\x00\x00AVI LIST": None,
    b"\x00\x00\x00\x20ftypavif": "image/avif",
    b"\x00\x00\x00\x20ftypM4A ": "audio/mp4",
    b"\x00\x00\x00\x20ftypisom": "video/mp4",
    b"%PDF-1.7\n": "application/pdf",
    b"ID3\x04": "audio/mpeg",
    b"\xff\xfb\x90": "audio/mpeg",
    b"\xff\x00\x90": None,
    b"fLaC\x00": "audio/flac",
    b"OggS\x00": "audio/ogg",
    b"  \n<!DOCTYPE HTML><p>": "text/html",
    b"<HTML>": "text/html",
    b"hello": None,
    b"": None,
}


@pytest.mark.parametrize(("content", "kind"), CONTENTS.items())
def test_the_first_bytes_say_what_it_is(content, kind):
    assert sniff(content) == kind
    assert sniff((content + b"\x01" * 100)[:SNIFFED]) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PNG", "image/png"),
        ("https://x.test/a/b.jpeg?sig=.pdf", "image/jpeg"),
        ("https://x.test/a.wav#t", "audio/wav"),
        ("https://x.png/a", None),
        ("a", None),
        ("a.unheard", None),
        ("", None),
    ],
)
def test_a_name_says_what_it_is(name, kind):
    assert type_by_name(name) == kind


def test_types_have_one_name_and_an_ending():
    assert plain_type("Image/JPG; q=1") == "image/jpeg"
    assert plain_type("application/x-unheard") == "application/x-unheard"
    assert [ending_of(kind) for kind in ("image/jpg", "audio/x-wav", "application/x-unheard", None, "")] == [
        ".jpg",
        ".wav",
        "",
        "",
        "",
    ]
    assert all(type_by_name(f"f{ending_of(kind)}") == kind for kind in ("text/plain", "video/mp4", "image/tiff"))
