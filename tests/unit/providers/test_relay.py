"""What one gateway writes, another reads as it was meant."""

from __future__ import annotations

import msgspec
import pytest
from tests.contract.providers.cases import Golden
from tests.contract.providers.dialects.relay import GOLDENS

from calibrant.config.schema import Provider
from calibrant.config.secret import PassedOn, Secret
from calibrant.config.vendors import RELAY
from calibrant.providers.relay import Relay
from calibrant.providers.relay_embeddings import RelayEmbeddings
from calibrant.types.call import EmbeddingCall, ModelCall
from calibrant.types.content import Text
from calibrant.types.message import Message
from calibrant.types.onward import Onward
from calibrant.types.tool import ToolConfig
from calibrant.wire import native, openai_embeddings

PROVIDER = Provider(RELAY, RELAY, "m", api_base="http://central.test")
CALL = ModelCall(None, (Message("user", (Text("Hello"),)),))
SECRETS = PassedOn(Secret("sk-t0-key"), {"mine": Secret("sk-mine")})


@pytest.mark.parametrize("case", GOLDENS, ids=str)
def test_the_other_gateway_reads_what_was_meant(case: Golden) -> None:
    call = case.call
    read = native.decode(case.made().encode(call).body, now_ms=0)
    assert (read.model_name, read.function_name, read.stream) == ("the-model", None, call.stream)
    assert (read.input.system, read.input.messages) == (call.system, call.messages)
    assert read.params == msgspec.structs.replace(call.params, json_mode=call.json_mode)
    tools = call.tools if call.tools is not None else ToolConfig()
    assert (read.tools, read.custom_tools) == (tools.tools, tools.custom)
    assert (read.tool_choice or "auto", read.parallel_tool_calls) == (tools.choice, tools.parallel)
    assert read.allowed_tools == tools.allowed
    assert tuple(each.tool for each in read.provider_tools) == call.provider_tools


def test_secrets_come_in_when_it_is_signed_and_only_then() -> None:
    relay = Relay(PROVIDER)
    http = relay.accompanied(relay.encode(CALL), Onward(tags={"a": "b"}, raw_usage=True))
    assert b"sk-" not in http.body
    signed = relay.sign(http, SECRETS, 0.0)
    assert dict(signed.headers)["authorization"] == "Bearer sk-t0-key"
    read = native.decode(signed.body, now_ms=0)
    assert (read.credentials, read.tags, read.include_raw_usage) == ({"mine": "sk-mine"}, {"a": "b"}, True)
    assert relay.sign(http, None, 0.0) == relay.sign(http, PassedOn(None, {}), 0.0) == http


def test_embeddings_are_signed_alike() -> None:
    embedder = RelayEmbeddings(PROVIDER)
    http = embedder.encode_embedding(EmbeddingCall(("a", "b")))
    signed = embedder.sign(http, SECRETS, 0.0)
    assert dict(signed.headers)["authorization"] == "Bearer sk-t0-key"
    read = openai_embeddings.decode(signed.body)
    assert (read.model_name, read.call.input, read.credentials) == ("m", ("a", "b"), {"mine": "sk-mine"})
    assert embedder.sign(http, PassedOn(None, {}), 0.0) == http
