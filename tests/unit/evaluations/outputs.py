"""Items and outputs for tests of evaluators."""

import msgspec

from calibrant.types.content import Text
from calibrant.types.datapoint import Content, JsonValue
from calibrant.types.message import Input


def json_output(value):
    """A JSON function's output that is valid."""
    raw = msgspec.json.encode(value)
    return JsonValue(raw.decode(), msgspec.Raw(raw))


def invalid(raw="{oops"):
    """A JSON function's output that is not valid."""
    return JsonValue(raw)


def said(text):
    """A chat function's output of one text."""
    return (Text(text),)


def item(output=None):
    """An item with this reference output."""
    return Content("json" if isinstance(output, JsonValue) else "chat", "f", Input(()), output)
