"""From a chat completion request to what a world answers. Pure: moments and chance are parameters.

A model of the world answers the item of which the text stands in the messages; all other text is the prompt. A judge
is the model `judge-NAME`: the messages have the item, and between `<output>` and `</output>` the answer to judge,
which gets `pass` or `fail` (in JSON `{"score": true}`); with two of them it says `first` or `second` (in JSON
`{"winner": "first"}`).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import numpy as np

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.demo.completion import Request
from calibrant.demo.simlm.items import read_task
from calibrant.demo.simlm.judging import Outputs
from calibrant.demo.simlm.reply import compose, read_reply
from calibrant.demo.simlm.world import World

__all__ = ["JUDGE", "fingerprint_at", "model_names", "said"]

JUDGE: Final = "judge-"
"""What the names of judges begin with."""

_OUTPUT: Final = re.compile(r"<output>(.*?)</output>", re.DOTALL)


def model_names(world: World) -> tuple[str, ...]:
    """Return what the server has: models, then judges."""
    return (*world.parameters.models, *(f"{JUDGE}{name}" for name in world.parameters.judges))


def said(world: World, request: Request, at: float, rng: np.random.Generator) -> str:
    """Return what a model or a judge says.

    Args:
        world: The truth.
        request: At temperature 0 a model always answers the same, else it draws anew; without one it is 1, as with
            OpenAI. Judges have a retest noise of their own.
        at: The moment.
        rng: What is drawn anew comes from it.

    Raises:
        NotFound: there is no such model.
        InvalidRequest: no item of this world stands in the messages, or nothing to judge.
    """
    if request.model not in model_names(world):
        raise NotFound(f"no model {request.model!r}: the models here are {', '.join(model_names(world))}")
    told = "\n".join(message.text for message in request.messages)
    if request.model not in world.parameters.models:
        return _judged(world, request, told, at, rng)
    task = read_task(world.parameters, told)
    item, draw = np.array([task.item]), None if request.temperature == 0 else rng
    correct = world.outcomes(item, task.rest, draw, model=request.model, at=at)
    output = world.outputs(item, task.rest, correct, model=request.model)
    answer = world.parameters.options[int(output.options[0])]
    return compose(answer, int(output.words[0]), output.family, json=request.wants_json)


def fingerprint_at(world: World, model: str, at: float) -> tuple[str, str]:
    """Return `model` and `system_fingerprint` of answers at a moment: changes show there, or do not."""
    changes = [change for change in world.parameters.changes if change.at <= at]
    named = sum(change.shown in ("model", "both") for change in changes)
    marked = sum(change.shown in ("fingerprint", "both") for change in changes)
    return f"{model}-{named + 1}" if named else model, f"simlm-{marked}"


def _judged(world: World, request: Request, told: str, at: float, rng: np.random.Generator) -> str:
    name = request.model.removeprefix(JUDGE)
    outputs = _OUTPUT.findall(told)
    if len(outputs) not in (1, 2):
        raise InvalidRequest(
            f"{request.model} judges one answer or two, each between <output> and </output>; here are {len(outputs)}"
        )
    # What is judged may have the keys of other items in it.
    item = read_task(world.parameters, _OUTPUT.sub("", told)).item
    seen = [_seen(world, item, text, told) for text in outputs]
    if len(seen) == 1:
        passed = bool(world.judge(name, seen[0], rng, at=at)[0])
        return _json({"score": passed}) if request.wants_json else ("pass" if passed else "fail")
    first = bool(world.prefers_first(name, seen[0], seen[1], rng, at=at)[0])
    winner = "first" if first else "second"
    return _json({"winner": winner}) if request.wants_json else winner


def _seen(world: World, item: int, text: str, told: str) -> Outputs:
    reply, options = read_reply(text), world.parameters.options
    return Outputs(
        np.array([item]),
        np.array([options.index(reply.answer) if reply.answer in options else -1]),
        np.array([reply.words]),
        np.array([world.parameters.injection.text in f"{_OUTPUT.sub('', told)}\n{text}"]),
        reply.family,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
