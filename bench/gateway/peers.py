"""What is measured: the upstream itself, Calibrant, and the peers that this machine can run."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from bench.gateway.load import VARIED
from bench.gateway.process import Child, descendants, free_port, wait_for_port

__all__ = [
    "CHUNKS",
    "FIRST_DUE_S",
    "INTERVAL_S",
    "Place",
    "Program",
    "Shot",
    "Target",
    "direct",
    "gateway_shots",
    "lay_out",
    "targets",
    "upstream",
]

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

CHUNKS = 50
INTERVAL_S = 0.02
FIRST_DUE_S = 0.1
"""The paced streams: 50 pieces a second for a second, the first 100 ms after the request."""

_LITELLM = "litellm[proxy]<=1.109.1"
_KEY = {"BENCH_KEY": "sk-bench"}
ANY_KEY = f"sk-t0-{'b' * 12}-{'k' * 48}"
"""For the fake provider, which looks at no key."""
_LONG = 64 * 1024
_PICTURE = 2 * 2**20
_QUESTION = "Write a haiku about the sea."
_REVIEW = {
    "product": "a travel kettle",
    "stars": 4,
    "text": "Boils a cup in two minutes and fits in my bag. The lid is a little stiff, and the cable short.",
    "tags": ["kitchen", "travel"],
}
_VERDICT = {"sentiment": "positive", "confidence": 0.86, "topics": ["speed", "size", "lid", "cable"]}
_STREAMS = ("stream", "stream_native", "stream_messages", "stream_responses")
"""The same stream, asked for in each dialect."""


@dataclass(frozen=True)
class Shot:
    """A request: path and body."""

    path: str
    body: str


@dataclass(frozen=True)
class Place:
    """Where a run works."""

    folder: Path
    """Temporary; holds logs, the filled-in configuration, the data."""
    upstream_port: int

    @property
    def config(self) -> Path:
        """The filled-in configuration."""
        return self.folder / "config"


@dataclass(frozen=True)
class Program:
    """A Calibrant to measure."""

    command: tuple[str, ...]
    workers: int = 1
    source: Path | None = None
    """A checkout to run from, in place of what is installed."""
    keys: bool = False
    """Whether it asks for API keys, and is sent one."""


@dataclass(frozen=True)
class Target:
    """Something that answers."""

    name: str
    port: int
    shots: dict[str, Shot]
    """By the kind of lane that can be run against it: plain, stream, contract, native."""
    version: str = ""
    key: str = ANY_KEY
    """The bearer token that it is shown, as every SDK shows one, whether it is asked for or not."""
    child: Child | None = None
    recorder: Callable[[], int | None] = field(default=lambda: None)
    """The pid of the process that stores the record."""

    def pids(self) -> tuple[int, ...]:
        """Return the processes that answer, without the recorder."""
        if self.child is None:
            return ()
        skip = self.recorder()
        return (self.child.pid, *(pid for pid in descendants(self.child.pid) if pid != skip))


def targets(
    place: Place, programs: dict[str, Program], *, peers: bool, litellm: bool, say: Callable[[str], None]
) -> Generator[Target]:
    """Yield each target that can be started, `direct` first; the caller stops their children.

    Args:
        place: Where the run works.
        programs: How to start Calibrant, by the name to give its column.
        peers: Whether to run others than Calibrant.
        litellm: Whether to run LiteLLM's proxy.
        say: Takes progress, and who is left out and why.
    """
    yield direct(place)
    ours = [(name, partial(_calibrant, name=name, program=program)) for name, program in programs.items()]
    others = [("tensorzero", _tensorzero), ("nginx", _nginx)] if peers else []
    for name, make in (*ours, *others):
        try:
            yield make(place)
        except (RuntimeError, OSError) as error:
            say(f"!!! {name} IS LEFT OUT: {error}")
    if not peers:
        return
    if not litellm:
        say("!!! litellm IS LEFT OUT, as asked")
        return
    try:
        yield _litellm(place, say)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        say(f"!!! litellm IS LEFT OUT: {error}")


def upstream(folder: Path) -> tuple[Child, int]:
    """Start the fake provider."""
    port = free_port()
    pace = {"chunks": CHUNKS, "interval_s": INTERVAL_S, "stamp": True}
    scripts = {
        "bench_stream": {"latency": {"median_s": FIRST_DUE_S}, "pace": pace},
        "bench_json": {"answer": {"text": _json(_VERDICT)}},
        "bench_text": {"answer": {"text": "A fixed answer, whatever was asked."}},
        "bench_judge": {"answer": {"text": _json({"thinking": "The first is best.", "answer_choice": 0})}},
        "bench_tools": {"answer": {"tool_calls": [{"name": "get_weather", "arguments": _json({"city": "Rome"})}]}},
    }
    command = [sys.executable, "-m", "calibrant.testing.upstream", "--port", str(port), "--keep", "0"]
    for name, script in scripts.items():
        command += ["--model", f"{name}={_json(script)}"]
    child = Child("upstream", command, log=folder / "upstream.log")
    wait_for_port(child, port, 15)
    return child, port


def lay_out(folder: Path, upstream_port: int) -> None:
    """Copy the configuration into the run's folder, with the upstream's address in it."""
    shutil.copytree(HERE / "config", folder / "config")
    for file in (folder / "config").rglob("*.*"):
        text = file.read_text()
        if "@UPSTREAM" in text:
            text = text.replace("@UPSTREAM_HOST@", f"127.0.0.1:{upstream_port}")
            file.write_text(text.replace("@UPSTREAM@", f"http://127.0.0.1:{upstream_port}"))


def direct(place: Place) -> Target:
    """Return the upstream itself: what every other figure is compared with."""
    return Target(
        "direct",
        place.upstream_port,
        {
            "plain": _chat("/v1/chat/completions", "bench"),
            **dict.fromkeys(_STREAMS, _chat("/v1/chat/completions", "bench_stream", stream=True)),
            "contract": _chat("/v1/chat/completions", "bench_json"),
            "native": _chat("/v1/chat/completions", "bench_json"),
            "tools": _with_tools("/v1/chat/completions", "bench_tools"),
            "anthropic": _messages("bench_text"),
            "messages": _messages("bench_text"),
            "best": _chat("/v1/chat/completions", "bench_text"),
            "cached": _chat("/v1/chat/completions", "bench_text", f"{VARIED} {_QUESTION}"),
            "long": _long("/v1/chat/completions", "bench_text"),
            "image": _picture("/v1/chat/completions", "bench_text"),
        },
    )


def gateway_shots() -> dict[str, Shot]:
    """Return the requests that Calibrant takes; TensorZero takes those of OpenAI's route that need no database."""
    path = "/openai/v1/chat/completions"
    contract = {
        "model": "tensorzero::function_name::review",
        "messages": [{"role": "user", "content": [{"type": "text", "tensorzero::arguments": _REVIEW}]}],
    }
    message = {"role": "user", "content": [{"type": "text", "arguments": _REVIEW}]}
    native = {"function_name": "review", "input": {"messages": [message]}}
    asked = {"messages": [{"role": "user", "content": _QUESTION}]}
    return {
        "plain": _chat(path, "tensorzero::model_name::bench"),
        "stream": _chat(path, "tensorzero::model_name::bench_stream", stream=True),
        "stream_native": Shot("/inference", _json({"model_name": "bench_stream", "input": asked, "stream": True})),
        "stream_messages": _messages("bench_stream", stream=True),
        "stream_responses": Shot("/v1/responses", _json({"model": "bench_stream", "input": _QUESTION, "stream": True})),
        "contract": Shot(path, _json(contract)),
        "native": Shot("/inference", _json(native)),
        "tools": _with_tools(path, "tensorzero::model_name::bench_tools"),
        "anthropic": _chat(path, "tensorzero::model_name::bench_anthropic", max_tokens=256),
        "messages": _messages("bench_text"),
        "best": _chat(path, "tensorzero::function_name::best", stream=False, **{"tensorzero::variant_name": "best"}),
        "cached": _chat(
            path,
            "tensorzero::model_name::bench_text",
            f"{VARIED} {_QUESTION}",
            stream=False,
            **{"tensorzero::cache_options": {"enabled": "on"}},
        ),
        "long": _long(path, "tensorzero::model_name::bench_text"),
        "image": _picture(path, "tensorzero::model_name::bench_text"),
    }


def _calibrant(place: Place, *, name: str, program: Program) -> Target:
    port, data = free_port(), place.folder / f"data-{name}"
    config = place.config / "bench.toml"
    env = _KEY if program.source is None else {**_KEY, "PYTHONPATH": str(program.source / "src")}
    key = ANY_KEY
    if program.keys:
        # Not `.toml`: TensorZero reads all of those.
        config = place.config / "bench.keys"
        config.write_text(f"{(place.config / 'bench.toml').read_text()}\n[gateway.auth]\nenabled = true\n")
        key = _key(program, data, env)
    command = [*program.command, "gateway", "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(program.workers), "--data-dir", str(data)]
    child = Child(name, command, log=place.folder / f"{name}.log", env=env)
    _ready(child, port)
    shots = gateway_shots()
    if program.keys:
        # Beside the column without keys; what they cost does not depend on what is asked.
        shots = {kind: shots[kind] for kind in ("plain", "contract")}

    def recorder() -> int | None:
        with contextlib.suppress(OSError, msgspec.MsgspecError, KeyError):
            return int(msgspec.json.decode((data / "spool" / "recorder.json").read_bytes())["pid"])
        return None

    return Target(name, port, shots, _version("calibrant"), key, child, recorder)


def _key(program: Program, data: Path, env: dict[str, str]) -> str:
    """Make an API key for a gateway that is not running yet."""
    command = [*program.command, "key", "create", "--json", "--data-dir", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **env})
    if done.returncode:
        raise RuntimeError(f"no API key could be made: {done.stderr.strip()[-300:]}")
    return str(msgspec.json.decode(done.stdout)["key"])


def _tensorzero(place: Place) -> Target:
    port_file = place.folder / "tensorzero.port"
    command = [sys.executable, str(HERE / "peer_tensorzero.py"), str(place.config / "*.toml"), str(port_file)]
    child = Child("tensorzero", command, log=place.folder / "tensorzero.log", env=_KEY)
    deadline = time.monotonic() + 30
    while not port_file.exists():
        if child.process.poll() is not None or time.monotonic() > deadline:
            child.stop()
            raise RuntimeError(f"its embedded gateway did not start:\n{child.tail()}")
        time.sleep(0.05)
    port = int(port_file.read_text())
    _ready(child, port)
    # What it embeds has no /inference: the same function goes by its OpenAI route.
    shots = gateway_shots()
    shots["native"] = shots["contract"]
    shots |= dict.fromkeys(_STREAMS, shots["stream"])
    # It has no dialect of Anthropic's; its cache wants a database.
    del shots["messages"], shots["cached"]
    return Target("tensorzero", port, shots, _version("tensorzero"), child=child)


def _nginx(place: Place) -> Target:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise RuntimeError("no nginx on PATH")
    port, prefix = free_port(), place.folder / "nginx"
    prefix.mkdir()
    config = place.config / "nginx.conf"
    config.write_text(config.read_text().replace("@PORT@", str(port)))
    command = [program, "-p", str(prefix), "-e", str(prefix / "nginx-error.log"), "-c", str(config)]
    child = Child("nginx", command, log=place.folder / "nginx.log")
    _ready(child, port)
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
    shots = {k: v for k, v in direct(place).shots.items() if k in {"plain", "stream"}}
    return Target("nginx", port, shots, said.partition("/")[2].strip(), child=child)


def _litellm(place: Place, say: Callable[[str], None]) -> Target:
    venv = ROOT / ".bench" / "venv"
    program = venv / "bin" / "litellm"
    if not program.exists():
        say("    installing LiteLLM's proxy into .bench/venv (once; takes a minute or two)")
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True, timeout=120)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", _LITELLM]
        done = subprocess.run(pip, check=False, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise RuntimeError(f"{_LITELLM} cannot be installed: {done.stderr.strip()[-300:]}")
    port = free_port()
    command = [str(program), "--config", str(place.config / "litellm.yaml"), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", "1"]
    # It does not start without a key of its own.
    key = f"sk-{secrets.token_hex(24)}"
    env = {
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_TELEMETRY": "False",
    }
    child = Child("litellm", command, log=place.folder / "litellm.log", env=env)
    _ready(child, port, 90)
    shots = {
        "plain": _chat("/v1/chat/completions", "bench"),
        "stream": _chat("/v1/chat/completions", "bench_stream", stream=True),
    }
    ask = [str(venv / "bin" / "python"), "-c", "import importlib.metadata as m; print(m.version('litellm'))"]
    installed = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    return Target("litellm", port, shots, installed, key, child)


def _ready(child: Child, port: int, patience_s: float = 30) -> None:
    try:
        wait_for_port(child, port, patience_s)
    except RuntimeError:
        child.stop()
        raise


def _chat(path: str, model: str, content: Any = _QUESTION, *, stream: bool = False, **fields: Any) -> Shot:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    if stream:
        body["stream"] = True
    return Shot(path, _json(body))


def _with_tools(path: str, model: str) -> Shot:
    tools = [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": f"Looks up the {name.removeprefix('get_')} of a place.",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}, "unit": {"enum": ["metric", "imperial"]}},
                    "required": ["city"],
                },
            },
        }
        for name in ("get_weather", "get_time", "get_population")
    ]
    return _chat(path, model, tools=tools, tool_choice="auto")


def _long(path: str, model: str) -> Shot:
    # Text with the odd quotation mark and line break, which JSON escapes: as prompts are.
    line = 'The kettle said "I boil", and the lid, a little stiff, agreed.\n'
    return _chat(path, model, line * (_LONG // len(line)))


def _picture(path: str, model: str) -> Shot:
    # The bytes only have to be there: nobody on the way looks into a picture.
    data = base64.b64encode(bytes(range(256)) * (_PICTURE // 256)).decode()
    parts = [
        {"type": "text", "text": _QUESTION},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    return _chat(path, model, parts)


def _messages(model: str, **fields: Any) -> Shot:
    body = {"model": model, "max_tokens": 256, "messages": [{"role": "user", "content": _QUESTION}], **fields}
    return Shot("/v1/messages", _json(body))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"
