"""Clients that ask without a pause and keep book of it: what was sent, and what came back whole, in part or not at all.

Each request carries a marker of its own, in its text and its tags, so that what is stored can be matched to what was
asked. A request is sent once: one whose answer was lost is not asked again.
"""

import asyncio
import random
import threading
import traceback
from collections import Counter
from contextlib import contextmanager

import msgspec
import uvloop
from tests.support.faults import function, message_in, model

from calibrant.testing.faults import Latency, Pace, Script

PATIENCE_S = 30.0
PAUSE_S = 0.02

NATIVE = "/inference"
OPENAI = "/openai/v1/chat/completions"
FEEDBACK = "/feedback"

SCRIPTS = {
    "quick": Script(latency=Latency(0.003, 0.8)),
    "paced": Script(latency=Latency(0.002), pace=Pace(interval_s=0.008)),
}
"""What the upstream plays."""
_CONFIG = """
[metrics.good]
type = "boolean"
optimize = "max"
level = "inference"

[metrics.stars]
type = "float"
optimize = "max"
level = "episode"

[spool]
"""


def config(upstream, spool):
    """A gateway's configuration, with the functions and metrics that a `Load` asks for."""
    models = [model(name, upstream.url, upstream=name) for name in SCRIPTS]
    functions = [function("chat", ("only", "quick", "")), function("paced", ("only", "paced", ""))]
    return _CONFIG + spool + "".join(models + functions)


class Asked(msgspec.Struct, kw_only=True):
    """One request, and what came of it."""

    marker: str
    path: str
    text: str = ""
    stream: bool = False
    metric: str = ""
    target: str = ""
    value: object = None
    outcome: str = "lost"
    """`lost`, `refused` (503), `partial` (a stream that broke off) or `whole`."""
    id: str = ""
    """Of the inference or the feedback, as told by the answer."""
    episode: str = ""
    failed: bool = False
    """The stream said that something went wrong."""
    said: str = ""
    """The text that came."""


class Load:
    """The clients; they run in a thread."""

    def __init__(self, port, *, clients, seed, feedback=True):
        self.port = port
        self.asked = []
        self.surprises = []
        """Answers that should not have come; the reason why a test fails."""
        self.refusals = []
        """Messages of answers with status 503."""
        self.outcomes = Counter()
        self._clients = clients
        self._seed = seed
        self._weights = (4, 3, 3 if feedback else 0)
        self._stop = threading.Event()
        self._answered = []
        """Inferences whose id a client has seen."""

    @property
    def answers(self):
        return self.outcomes["whole"]

    @property
    def broken(self):
        return self.outcomes["lost"] + self.outcomes["partial"]

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self._thread, name="load")
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(2 * PATIENCE_S)
        assert not thread.is_alive(), "a client hangs"

    def _thread(self):
        try:
            uvloop.run(self._run())
        except BaseException as error:  # whatever it is, the test has to know
            self.surprises.append("".join(traceback.format_exception(error)))

    async def _run(self):
        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                group.create_task(self._client(number))

    async def _client(self, number):
        draw = random.Random(f"{self._seed}-{number}")
        count = 0
        while not self._stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
            except OSError:
                # Everything is down. Nothing was asked.
                await asyncio.sleep(PAUSE_S)
                continue
            try:
                # Connections end now and then, so that new ones spread over the workers.
                for _ in range(draw.randint(1, 12)):
                    count += 1
                    if self._stop.is_set():
                        break
                    await self._ask(reader, writer, self._next(draw, f"m-{self._seed}-{number}-{count}-"))
                    await asyncio.sleep(draw.uniform(0, 2 * PAUSE_S))
            except (OSError, EOFError):
                pass
            finally:
                writer.close()

    def _next(self, draw, marker):
        kind = draw.choices(("plain", "stream", "feedback"), self._weights)[0]
        if kind == "feedback" and self._answered:
            return self._opinion(draw, marker)
        # Some are longer than a page, which a kill can cut in two.
        filler = "x" * draw.choice((10, 10, 1_000, 60_000))
        text = f"{marker} says {filler} and ends, as you see"
        return Asked(marker=marker, path=draw.choice((NATIVE, OPENAI)), text=text, stream=kind == "stream")

    def _opinion(self, draw, marker):
        of = draw.choice(self._answered[-50:])
        metric, value = draw.choice(
            (
                ("good", draw.random() < 0.5),
                ("stars", draw.randint(1, 5)),
                ("comment", marker),
                ("demonstration", marker),
            )
        )
        target = of.episode if metric == "stars" else of.id
        return Asked(marker=marker, path=FEEDBACK, metric=metric, target=target, value=value)

    async def _ask(self, reader, writer, asked):
        self.asked.append(asked)
        body = msgspec.json.encode(_body(asked))
        head = f"POST {asked.path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(head.encode() + body)
                await self._hear(reader, asked)
        except TimeoutError:
            self.surprises.append(f"no end of an answer in {PATIENCE_S} s: {asked}")
            raise EOFError from None
        finally:
            self.outcomes[asked.outcome] += 1

    async def _hear(self, reader, asked):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split()[1])
        if "transfer-encoding: chunked" in head:
            await self._hear_stream(reader, asked)
            return
        length = int(head.partition("content-length:")[2].split()[0])
        body = await reader.readexactly(length)
        if status == 503:
            self.refusals.append(message_in(msgspec.json.decode(body), asked.path == OPENAI))
            asked.outcome = "refused"
            return
        if status != 200:
            self.surprises.append(f"{status} {body.decode()}: {asked.path} {asked.metric} {asked.target}")
            return
        answer = msgspec.json.decode(body)
        if asked.path == FEEDBACK:
            asked.id = answer["feedback_id"]
        elif asked.path == NATIVE:
            asked.id, asked.episode = answer["inference_id"], answer["episode_id"]
            asked.said = "".join(block["text"] for block in answer["content"])
        else:
            asked.id, asked.episode = answer["id"], answer["episode_id"]
            asked.said = answer["choices"][0]["message"]["content"]
        asked.outcome = "whole"
        if asked.path != FEEDBACK:
            self._seen(asked)

    async def _hear_stream(self, reader, asked):
        """Read chunk by chunk, so that a stream that breaks leaves behind what came of it."""
        rest = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            rest += (await reader.readexactly(size + 2))[:-2]
            *events, rest = rest.split(b"\n\n")
            for event in events:
                self._event(asked, event.removeprefix(b"data: "))
        await reader.readexactly(2)

    def _event(self, asked, data):
        if data == b"[DONE]":
            asked.outcome = "partial" if asked.failed else "whole"
            return
        chunk = msgspec.json.decode(data)
        if "error" in chunk:
            asked.failed = True
            self.refusals.append(message_in(chunk, asked.path == OPENAI))
            return
        _add(asked, chunk)
        if asked.outcome == "lost":
            asked.outcome = "partial"
            self._seen(asked)

    def _seen(self, asked):
        self._answered.append(asked)


def _add(asked, chunk):
    if asked.path == NATIVE:
        asked.id, asked.episode = chunk["inference_id"], chunk["episode_id"]
        asked.said += "".join(block["text"] for block in chunk["content"])
    else:
        asked.id, asked.episode = chunk["id"], chunk["episode_id"]
        asked.said += "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _body(asked):
    tags = {"marker": asked.marker}
    messages = [{"role": "user", "content": asked.text}]
    name = "paced" if asked.stream else "chat"
    if asked.path == FEEDBACK:
        level = "episode_id" if asked.metric == "stars" else "inference_id"
        return {"metric_name": asked.metric, level: asked.target, "value": asked.value, "tags": tags}
    if asked.path == NATIVE:
        return {"function_name": name, "input": {"messages": messages}, "stream": asked.stream, "tags": tags}
    model = f"tensorzero::function_name::{name}"
    return {"model": model, "messages": messages, "stream": asked.stream, "tensorzero::tags": tags}
