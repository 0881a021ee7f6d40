"""The line in this process: a configuration from text, a scripted provider, a spool and a store in memory."""

import asyncio
from time import monotonic

import msgspec

from calibrant.base.clock import SystemClock
from calibrant.base.errors import SpoolFull, StoreUnavailable
from calibrant.config.load import load
from calibrant.config.secret import Secrets
from calibrant.engine.compiled import Compiler
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.feedback import give_feedback
from calibrant.engine.infer import infer
from calibrant.engine.stream import open_stream
from calibrant.telemetry.metrics import Metrics
from calibrant.types.content import Text
from calibrant.types.message import Input, Message
from calibrant.types.request import Feedback, InferenceRequest

HELLO = Input((Message("user", (Text("Hello?"),)),))
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}


def model(name="m", *providers, key="none", extra=""):
    """A model; its provider `p` is called at http://p.m."""
    lines = [f"[models.{name}]", f"routing = {list(providers or ('p',))}", extra]
    for provider in providers or ("p",):
        lines += [f"[models.{name}.providers.{provider}]", 'type = "openai"', 'model_name = "gpt"']
        lines += [f'api_base = "http://{provider}.{name}/v1"', f'api_key_location = "{key}"']
    return "\n".join(lines) + "\n"


def variant(name="v", model="m", extra=""):
    return f'variants.{name} = {{ type = "chat_completion", model = "{model}"{extra and ", " + extra} }}\n'


def function(*variants, name="f", kind="chat", extra=""):
    return f'[functions.{name}]\ntype = "{kind}"\n{extra}\n{"".join(variants) or variant()}'


def said(text="Hi.", *, calls=(), usage=USAGE, finish="stop", **fields):
    """A chat completion."""
    message = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "gpt-0", "choices": [choice], "usage": usage, **fields}


def event(delta=None, *, finish=None, **fields):
    """One event of a stream."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    body = {"id": "chatcmpl-1", "model": "gpt-0", "choices": choices, **fields}
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def streamed(*texts, usage=USAGE):
    """The events of a whole stream of these pieces of text."""
    pieces = [event({"content": text}) for text in texts]
    return Answer(*pieces, event({}, finish="stop"), event(usage=usage), b"data: [DONE]\n\n")


def refusal(status=500, message="no", *, headers=()):
    return Answer(msgspec.json.encode({"error": {"message": message}}), status=status, headers=headers)


class Answer:
    """A response whose body comes in pieces; a piece that is an exception is raised."""

    def __init__(self, *pieces, status=200, headers=()):
        self.status = status
        self.headers = headers
        self.pieces = pieces
        self.closed = False

    async def read(self):
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self):
        self.closed = True


class Left(Answer):
    """A response that never comes, since the client leaves meanwhile."""

    def __init__(self, presence):
        super().__init__()
        self.presence = presence

    async def chunks(self):
        self.presence.leave()
        await asyncio.Event().wait()
        yield b""


class Script:
    """A sender that follows a script; the last step holds for every call after it."""

    def __init__(self, *steps):
        self.steps = list(steps or (said(),))
        self.calls = []
        self.deadlines = []

    @property
    def asked(self):
        """Who was called: `provider.model`, in order."""
        return [call.url.split("/")[2] for call in self.calls]

    @property
    def bodies(self):
        return [msgspec.json.decode(call.body) for call in self.calls]

    async def send(self, call, deadline):
        self.calls.append(call)
        self.deadlines.append(deadline)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if callable(step):
            step = step(call)
        if isinstance(step, Exception):
            raise step
        return Answer(msgspec.json.encode(step)) if isinstance(step, dict) else step


class Spooled:
    """A spool that keeps its records."""

    incarnation = "worker-1"

    def __init__(self):
        self.records = []
        self.full = False
        """Nothing may begin."""
        self.broken = False
        """What has begun cannot be written."""

    def reserve(self):
        if self.full:
            raise SpoolFull("full")
        return True

    def append(self, record):
        done = asyncio.get_running_loop().create_future()
        if self.broken:
            done.set_exception(SpoolFull("broken"))
        else:
            self.records.append(record)
            done.set_result(None)
        return done

    def trouble(self):
        return None


class Stored:
    """A store that knows some targets, and the recorder's watermark; the last one holds from then on."""

    others_lag_ms = 0

    def __init__(self, *views, watermarks=(0,), away=False, rows=()):
        self.views = views
        self.rows = list(rows)
        """What `inference` finds, look by look; the last one holds from then on."""
        self.watermarks = list(watermarks)
        self.away = away
        self.looks = 0

    async def find(self, target_id, level):
        self.looks += 1
        if self.away:
            raise StoreUnavailable("away")
        ids = [(view.inference_id if level == "inference" else view.episode_id, view) for view in self.views]
        return next((view for id_, view in ids if id_ == target_id), None)

    async def inference(self, inference_id):
        self.looks += 1
        if self.away:
            raise StoreUnavailable("away")
        row = (self.rows.pop(0) if len(self.rows) > 1 else self.rows[0]) if self.rows else None
        return row if row is not None and row.id == inference_id else None

    def watermark_ms(self):
        return self.watermarks.pop(0) if len(self.watermarks) > 1 else self.watermarks[0]


class Line:
    """An engine and everything around it."""

    def __init__(
        self,
        folder,
        toml,
        *steps,
        environ=None,
        spool=True,
        targets=None,
        redact=None,
        clock=None,
        prices=None,
        cache=None,
        examples=None,
        workflows=None,
    ):
        file = folder / "calibrant.toml"
        file.write_text(toml)
        environ = environ or {}
        self.config = load(str(file), environ=environ)
        self.sender = Script(*steps)
        self.spool = Spooled() if spool else None
        self.engine = Engine(
            config=self.config,
            compiler=Compiler(self.config, prices),
            secrets=Secrets.resolve(self.config, environ)[0],
            sender=self.sender,
            metrics=Metrics((0.1,)),
            clock=clock or SystemClock(),
            spool=self.spool,
            targets=targets,
            redact=redact,
            cache=cache,
            examples=examples,
            workflows=workflows,
        )

    @property
    def records(self):
        return self.spool.records

    @property
    def row(self):
        """The inference recorded last."""
        return self.records[-1].inference

    @property
    def attempts(self):
        """Its calls."""
        return self.records[-1].model_inferences

    def counted(self, name):
        return dict(self.engine.metrics.figures().counters.get(name, []))

    def infer(self, caller=None, **fields):
        return asyncio.run(infer(self.engine, request(**fields), caller or Caller(), monotonic()))

    async def ainfer(self, caller=None, **fields):
        """The same, in an event loop that runs."""
        return await infer(self.engine, request(**fields), caller or Caller(), monotonic())

    def stream(self, caller=None, **fields):
        """The stream, read to its end, and its chunks."""

        async def go():
            stream = await open_stream(self.engine, request(stream=True, **fields), caller or Caller(), monotonic())
            self.at_open = list(self.records) if self.spool else []
            return stream, [chunk async for chunks in stream.chunks() for chunk in chunks]

        return asyncio.run(go())

    def feedback(self, metric_name, value, caller=None, **fields):
        return asyncio.run(give_feedback(self.engine, Feedback(metric_name, value, **fields), caller or Caller()))


def request(**fields):
    target = {} if "model_name" in fields else {"function_name": "f"}
    return InferenceRequest(**{"input": HELLO, **target, **fields})


def content(answered):
    """What was answered, as plain values."""
    return list(msgspec.to_builtins(answered.content))
