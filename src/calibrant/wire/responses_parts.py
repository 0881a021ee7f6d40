"""Parts of messages of the Responses dialect."""

from __future__ import annotations

from calibrant.apischema import responses_body as shape
from calibrant.types.content import InputBlock, RawText, Template, Text
from calibrant.wire import files
from calibrant.wire.body import invalid

__all__ = ["to_part"]

_AUDIO = {"mp3": "audio/mpeg", "mpga": "audio/mpeg", "m4a": "audio/mp4"}


def to_part(part: shape.Part, role: str, path: str) -> InputBlock | None:
    """Return the block that a part is, or null for one that we cannot read.

    Raises:
        InvalidRequest: it lacks what its type needs.
    """
    match part.type:
        case "input_text" | "output_text" | "text":
            return _text(part, role, path)
        case "refusal":
            return Text(_needed(part.refusal, "refusal", path))
        case "input_image":
            url = _needed(part.image_url, "image_url", path)
            return files.from_url(url, path=f"{path}.image_url", detail=part.detail)
        case "input_file":
            return _file(part, path)
        case "input_audio":
            return _audio(part.input_audio, f"{path}.input_audio")
        case "tensorzero::template" | "calibrant::template":
            if part.arguments is None:
                raise invalid("a template needs `arguments`", path)
            return Template(_needed(part.name, "name", path), part.arguments)
        case "tensorzero::raw_text" | "calibrant::raw_text":
            return RawText(_needed(part.value, "value", path))
        case _:
            return None


def _text(part: shape.Part, role: str, path: str) -> InputBlock:
    arguments = part.tensorzero_arguments if part.calibrant_arguments is None else part.calibrant_arguments
    if arguments is not None and part.text is None:
        return Template(role, arguments)
    if arguments is not None:
        raise invalid("a text part needs exactly one of `text` and `tensorzero::arguments`", path)
    return Text(_needed(part.text, "text", path))


def _file(part: shape.Part, path: str) -> InputBlock:
    if part.file_url is not None:
        return files.from_url(part.file_url, path=f"{path}.file_url", filename=part.filename)
    data = _needed(part.file_data, "file_data", path)
    make = files.from_url if data.startswith("data:") else files.from_base64
    return make(data, path=f"{path}.file_data", filename=part.filename)


def _audio(sound: shape.Sound | None, path: str) -> InputBlock:
    if sound is None:
        raise invalid("a part of this type needs it", path)
    if not sound.format.isalnum():
        raise invalid(f"{sound.format!r} is no audio format; send 'wav' or 'mp3'", f"{path}.format")
    media = _AUDIO.get(sound.format, f"audio/{sound.format}")
    return files.from_base64(sound.data, path=f"{path}.data", mime_type=media)


def _needed(value: str | None, field: str, path: str) -> str:
    if value is None:
        raise invalid(f"a part of this type needs `{field}`", path)
    return value
