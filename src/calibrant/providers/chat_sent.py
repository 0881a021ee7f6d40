"""The body of `POST /chat/completions` for a caller who speaks the dialect: the caller's words where ours lack some.

What configuration asks for stays: the model, what templates rendered, parameters, tools, the schema itself.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from calibrant.apischema.openai_chat import SystemMessage
from calibrant.config.schema import Provider
from calibrant.providers.chat_messages import vendor_messages
from calibrant.providers.compatible import Vendor
from calibrant.providers.spoken import written
from calibrant.providers.tools import custom_names
from calibrant.types.call import ModelCall
from calibrant.types.sent import Sent

__all__ = ["as_sent"]

_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def as_sent(provider: Provider, vendor: Vendor, call: ModelCall, sent: Sent, made: bytes, added: str | None) -> bytes:
    """Return the body to send.

    Args:
        provider: Whom it goes to.
        vendor: How that one speaks.
        call: What is asked.
        sent: What of the caller's words still stands.
        made: The body that was made of the call in our own words.
        added: Instructions of ours beside the caller's.

    Raises:
        ProviderError: a message that configuration changed has no form in this dialect.
    """
    body = _fields(made)
    theirs = dict(sent.fields)
    form = theirs.pop("response_format", None)
    body |= theirs
    if form is not None and "response_format" in body:
        body["response_format"] = _form(body["response_format"], form)
    if sent.messages:
        body["messages"] = Raw(_encode(_messages(provider, vendor, call, sent, added)))
    return _encode(body)


def _messages(provider: Provider, vendor: Vendor, call: ModelCall, sent: Sent, added: str | None) -> list[Any]:
    system = added if sent.whole_system else "\n\n".join([text for text in (call.system, added) if text])
    out: list[Any] = [SystemMessage(system)] if system else []
    with_tools, custom = call.tools is not None, custom_names(call)

    def made(place: int) -> list[Any]:
        return [*vendor_messages(provider, vendor, (call.messages[place],), with_tools=with_tools, custom=custom)]

    return [*out, *written(sent, made)]


def _form(made: Raw, theirs: Raw) -> Raw:
    """Return the form of the answer with what the caller says of the schema, and the schema that is asked for."""
    ours, asked = _fields(made), _fields(theirs)
    if "json_schema" in ours and "json_schema" in asked:
        schema = _fields(ours["json_schema"]).get("schema")
        said = _fields(asked["json_schema"])
        ours["json_schema"] = Raw(_encode(said if schema is None else said | {"schema": schema}))
    return Raw(_encode(ours))
