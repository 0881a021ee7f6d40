"""What to paste into `tensorzero.toml` so that a gateway asks SimLM."""

from __future__ import annotations

from collections.abc import Iterator

from calibrant.demo.simlm.answering import model_names
from calibrant.demo.simlm.parameters import Model
from calibrant.demo.simlm.world import World

__all__ = ["gateway_config"]


def gateway_config(world: World, url: str) -> str:
    """Return models, judges, a function and a metric, as TOML for a gateway; `url` ends with `/v1`.

    The prompt is the caller's system message here; a variant with a template of its own is another prompt.
    """
    lines = ["# SimLM: the oracle of what measures, never evidence about real tasks."]
    for name in model_names(world):
        lines += _model(name, world.parameters.models.get(name), url)
    lines += [
        "[functions.simlm]",
        'type = "chat"',
        *(f'variants."{n}" = {{ type = "chat_completion", model = "{n}" }}' for n in world.parameters.models),
        "",
        "[metrics.correct]",
        'type = "boolean"',
        'level = "inference"',
        'optimize = "max"',
    ]
    return "\n".join(lines) + "\n"


def _model(name: str, priced: Model | None, url: str) -> Iterator[str]:
    yield f'[models."{name}"]'
    yield 'routing = ["simlm"]'
    yield f'[models."{name}".providers.simlm]'
    yield 'type = "openai"'
    yield f'api_base = "{url}"'
    yield f'model_name = "{name}"'
    yield 'api_key_location = "none"'
    if priced is not None and (priced.input_price or priced.output_price):
        yield "cost = ["
        for counted, price in (("prompt", priced.input_price), ("completion", priced.output_price)):
            yield f'    {{ pointer = "/usage/{counted}_tokens", cost_per_million = {price}, required = true }},'
        yield "]"
    yield ""
