"""The battery against real providers, for whichever keys are in the environment: `make live`.

`CALIBRANT_LIVE_<TYPE>` names the model to call, such as `CALIBRANT_LIVE_GROQ=llama-3.3-70b-versatile`; a table has one
for each vendor that hosts its own. Azure, Vertex, AWS and self-hosted servers need more than a name: a provider's
whole table, as TOML, in `CALIBRANT_LIVE_CONFIG`. Costs a few cents in all.
"""

from __future__ import annotations

import asyncio
import os
import time
import tomllib
from pathlib import Path

import msgspec
import pytest
from tests.contract.providers.calls import PERSON, WEATHER

from calibrant.base.clock import SystemClock
from calibrant.config.load import load
from calibrant.config.schema import Config
from calibrant.config.vendors import VENDORS
from calibrant.credentials.opening import Opened, open_credentials
from calibrant.engine.compiled import Compiler
from calibrant.net.client import Client
from calibrant.net.settings import ClientSettings
from calibrant.providers.facts import facts
from calibrant.telemetry.metrics import Metrics
from calibrant.types.call import Deadline, HttpCall, ModelCall
from calibrant.types.content import Text, ToolCall
from calibrant.types.message import Message
from calibrant.types.reply import Reply, fold
from calibrant.types.request import Params
from calibrant.types.tool import Specific, ToolConfig

pytestmark = pytest.mark.live

MODELS = {
    "anthropic": "claude-haiku-4-5",
    "deepseek": "deepseek-chat",
    "fireworks": "accounts/fireworks/models/gpt-oss-20b",
    "google_ai_studio_gemini": "gemini-2.5-flash",
    "groq": "llama-3.3-70b-versatile",
    "hyperbolic": "meta-llama/Llama-3.3-70B-Instruct",
    "mistral": "mistral-small-latest",
    "openai": "gpt-4.1-mini",
    "openrouter": "openai/gpt-4.1-mini",
    "together": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "xai": "grok-3-mini",
}


def _documents() -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, default in MODELS.items():
        variable = VENDORS[kind].credential.removeprefix("env::")
        if os.environ.get(variable):
            model = os.environ.get(f"CALIBRANT_LIVE_{kind.upper()}", default)
            found[kind] = f'type = "{kind}"\nmodel_name = "{model}"\n'
    extra = os.environ.get("CALIBRANT_LIVE_CONFIG", "")
    for name, table in tomllib.loads(extra).items():
        found[name] = "\n".join(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in table.items())
    return found


DOCUMENTS = _documents()
KINDS = sorted({*MODELS, *DOCUMENTS})
HELLO = (Message("user", (Text("Answer with the one word 'pong' and nothing else."),)),)
WEATHER_PLEASE = (Message("user", (Text("What is the weather in Rome? Use the tool."),)),)
PERSON_PLEASE = (Message("user", (Text("Give me a person named Ann, as JSON with the key `name`."),)),)
SHORT = Params(max_tokens=400)


def ask(kind: str, call: ModelCall, tmp_path: Path) -> Reply:
    if kind not in DOCUMENTS:
        pytest.skip(f"no key for {kind}: set {VENDORS[kind].credential.removeprefix('env::')}")
    file = tmp_path / "calibrant.toml"
    file.write_text(f'[models.m]\nrouting = ["p"]\n[models.m.providers.p]\n{DOCUMENTS[kind]}')
    opened = asyncio.run(_opened(load(str(file), environ=os.environ)))
    model = Compiler(opened.config).model("m")
    assert model is not None
    (provider,) = model.providers
    secret = opened.secrets.get(provider.provider.credential, {})
    http = provider.adapter.sign(provider.adapter.encode(call), secret, time.time())
    return asyncio.run(_send(provider.adapter, http, call))


async def _opened(config: Config) -> Opened:
    opened = await open_credentials(config, os.environ, metrics=Metrics(), clock=SystemClock())
    await opened.refresher.close()
    return opened


async def _send(adapter, http: HttpCall, call: ModelCall) -> Reply:
    client = Client(settings=ClientSettings())
    try:
        response = await client.send(http, Deadline(total=time.monotonic() + 120))
        if response.status >= 300:
            raise adapter.error(response.status, response.headers, await response.read())
        json_tool = call.json_mode == "tool"
        if not call.stream:
            return adapter.decode(response.status, response.headers, await response.read(), json_tool=json_tool)
        decoder = adapter.decoder(json_tool=json_tool)
        chunks = [chunk async for data in response.chunks() for chunk in decoder.feed(data)]
        return fold([*chunks, *decoder.close()])
    finally:
        await client.close()


def counted(reply: Reply) -> None:
    assert (reply.usage.input_tokens or 0) > 0 and (reply.usage.output_tokens or 0) > 0
    assert reply.usage.raw


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@both
def test_text(kind: str, stream: bool, tmp_path: Path) -> None:
    reply = ask(kind, ModelCall("Be brief.", HELLO, SHORT, stream=stream), tmp_path)
    assert "pong" in "".join(block.text for block in reply.content if isinstance(block, Text)).lower()
    assert reply.finish_reason == "stop"
    counted(reply)


@kinds
@both
def test_a_forced_tool(kind: str, stream: bool, tmp_path: Path) -> None:
    known = facts(DOCUMENTS.get(kind, f'type = "{kind}"').partition('type = "')[2].partition('"')[0])
    if known is not None and not known.forced_tools:
        pytest.skip(f"{kind} declares no forced tools")
    tools = ToolConfig((WEATHER,), choice=Specific("get_weather"))
    reply = ask(kind, ModelCall(None, WEATHER_PLEASE, SHORT, tools, stream=stream), tmp_path)
    (call,) = [block for block in reply.content if isinstance(block, ToolCall)]
    assert call.raw_name == "get_weather"
    assert "rome" in msgspec.json.decode(call.raw_arguments)["city"].lower()
    counted(reply)


@kinds
@pytest.mark.parametrize("mode", ["on", "strict", "tool"])
def test_json(kind: str, mode: str, tmp_path: Path) -> None:
    call = ModelCall("Answer in JSON.", PERSON_PLEASE, SHORT, json_mode=mode, output_schema=PERSON)
    reply = ask(kind, call, tmp_path)
    text = [block.text for block in reply.content if isinstance(block, Text)][-1]
    assert "name" in msgspec.json.decode(text)
