"""Files as Converse takes them: images, documents, sounds and films, as base64 or in a bucket.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ImageBlock.html, API_runtime_DocumentBlock.html,
API_runtime_AudioBlock.html, API_runtime_VideoBlock.html
"""

from __future__ import annotations

from collections.abc import Iterator

from calibrant.apischema.bedrock import (
    AudioBlock,
    Document,
    DocumentBlock,
    ImageBlock,
    Media,
    S3Location,
    Source,
    VideoBlock,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.types.content import File

__all__ = ["file_block"]

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_OFFICE = "application/vnd.openxmlformats-officedocument."
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    f"{_OFFICE}wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_SOUNDS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/opus": "opus",
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/aac": "aac",
    "audio/x-aac": "x-aac",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mp4": "mp4",
    "audio/m4a": "m4a",
    "audio/x-m4a": "m4a",
    "audio/pcm": "pcm",
    "audio/webm": "webm",
    "audio/x-matroska": "mka",
}
_FILMS = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
_BY_ENDING = {
    **{name: kind for kind, name in reversed((_IMAGES | _DOCUMENTS | _SOUNDS | _FILMS).items())},
    "jpg": "image/jpeg",
    "htm": "text/html",
    "3gp": "video/3gpp",
}
_BUCKET = "s3://"


def file_block(
    provider: Provider, file: File, documents: Iterator[int]
) -> ImageBlock | DocumentBlock | AudioBlock | VideoBlock:
    """Return a file as a block.

    Args:
        provider: The provider.
        file: The file.
        documents: The numbers of documents. A document's name is read by the model, so it gets a neutral one.

    Raises:
        ProviderError: Converse has no form for its type, or is given its address on the web.
    """
    kind, source = _mime_type(file), _source(provider, file)
    if kind in _IMAGES:
        return ImageBlock(Media(_IMAGES[kind], source))
    if kind in _DOCUMENTS:
        return DocumentBlock(Document(_DOCUMENTS[kind], f"document {next(documents)}", source))
    if kind in _SOUNDS:
        return AudioBlock(Media(_SOUNDS[kind], source))
    if kind in _FILMS:
        return VideoBlock(Media(_FILMS[kind], source))
    raise ProviderError(
        f"provider {provider.name!r} ({provider.type}) takes no file of type {kind!r}; "
        "set its `mime_type` if that is wrong, or use another provider for it",
        retryable=False,
    )


def _source(provider: Provider, file: File) -> Source:
    if file.data is not None:
        return Source(file.data)
    if file.url is not None and file.url.startswith(_BUCKET):
        return Source(s3_location=S3Location(file.url))
    raise ProviderError(
        f"provider {provider.name!r} ({provider.type}) takes no file by `url`; send its `data`, or an s3:// address",
        retryable=False,
    )


def _mime_type(file: File) -> str:
    if file.mime_type:
        return file.mime_type.partition(";")[0].strip().lower()
    name = (file.filename or file.url or "").partition("?")[0].lower()
    return _BY_ENDING.get(name.rpartition(".")[2], "application/octet-stream")
