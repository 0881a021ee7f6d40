from __future__ import annotations

from itertools import count

import msgspec
import pytest
from tests.contract.providers.cases import provider

from calibrant.base.errors import ProviderError
from calibrant.providers.bedrock_files import file_block
from calibrant.types.content import File

HERE = provider("aws_bedrock")


@pytest.mark.parametrize(
    ("name", "kind", "form"),
    [
        ("a.jpg", "image", "jpeg"),
        ("a.JPEG", "image", "jpeg"),
        ("a.gif", "image", "gif"),
        ("a.pdf", "document", "pdf"),
        ("a.docx", "document", "docx"),
        ("a.xls", "document", "xls"),
        ("a.htm", "document", "html"),
        ("a.md", "document", "md"),
        ("a.mp3", "audio", "mp3"),
        ("a.wav", "audio", "wav"),
        ("a.flac", "audio", "flac"),
        ("a.mov", "video", "mov"),
        ("a.3gp", "video", "three_gp"),
        ("a.mkv", "video", "mkv"),
    ],
)
def test_the_ending_says_what_it_is(name: str, kind: str, form: str) -> None:
    for file in (File(data="aGk=", filename=name), File(url=f"s3://bucket/{name}")):
        (found,) = msgspec.to_builtins(file_block(HERE, file, count(1))).items()
        assert (found[0], found[1]["format"]) == (kind, form)


@pytest.mark.parametrize("file", [File(), File(url="https://x.test/a.png"), File(url="data:image/png;base64,aGk=")])
def test_an_address_that_bedrock_does_not_fetch(file: File) -> None:
    with pytest.raises(ProviderError, match="by `url`; send its `data`, or an s3:// address") as caught:
        file_block(HERE, file, count(1))
    assert not caught.value.retryable


def test_the_type_wins_over_the_ending() -> None:
    block = file_block(HERE, File(data="aGk=", filename="a.png", mime_type="Text/CSV; header=present"), count(3))
    assert msgspec.to_builtins(block)["document"]["name"] == "document 3"
