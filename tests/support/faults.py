"""What the fault suites share: configurations in one line a model, server-sent events, sums of metrics."""

import re

import msgspec

INPUT = {"messages": [{"role": "user", "content": "Grüße aus Köln"}]}
TEXT = "Grüße aus Köln"


def model(name, base, *, upstream="plain", timeouts="", key="none"):
    """A model with one provider, `p`."""
    return many(name, [("p", base, upstream, "")], timeouts=timeouts, key=key)


def many(name, providers, *, timeouts="", key="none"):
    """A model with providers given as (name, api_base, model_name, timeouts)."""
    names = ", ".join(f'"{provider[0]}"' for provider in providers)
    text = f"[models.{name}]\nrouting = [{names}]\n{_timeouts(timeouts)}"
    for provider, base, upstream, own in providers:
        text += (
            f'[models.{name}.providers.{provider}]\ntype = "openai"\nmodel_name = "{upstream}"\n'
            f'api_base = "{base}"\napi_key_location = "{key}"\n{_timeouts(own)}'
        )
    return text


def function(name, *variants, fallbacks=()):
    """A chat function; variants are (name, model, more TOML in an inline table). Only the first is drawn."""
    text = f'[functions.{name}]\ntype = "chat"\n'
    for variant, model_name, more in variants:
        text += f'variants.{variant} = {{ type = "chat_completion", model = "{model_name}"{more} }}\n'
    if fallbacks:
        others = ", ".join(f'"{other}"' for other in fallbacks)
        text += (
            f'[functions.{name}.experimentation]\ntype = "static"\n'
            f"candidate_variants = {{ {variants[0][0]} = 1.0 }}\nfallback_variants = [{others}]\n"
        )
    return text


def _timeouts(inline):
    return f"timeouts = {inline}\n" if inline else ""


def events(answer):
    """The data of each server-sent event of an answer, `[DONE]` as it is."""
    found = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [text if text == "[DONE]" else msgspec.json.decode(text) for text in found]


def native_text(chunks):
    return "".join(block.get("text", "") for chunk in chunks for block in chunk.get("content", []))


def openai_text(chunks):
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", []))


def message_of(answer, openai=False):
    """The message of an error answer, which must be JSON in the protocol's shape and nothing more."""
    assert answer.headers["content-type"].startswith("application/json"), answer.text
    return message_in(answer.json(), openai)


def message_in(body, openai=False):
    assert list(body) == ["error"], body
    if not openai:
        assert isinstance(body["error"], str)
        return body["error"]
    assert list(body["error"]) == ["message"], body
    return body["error"]["message"]


def metric(text, name, **labels):
    """The sum of a metric's lines that have these labels."""
    total = 0.0
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name:
            has = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
            if labels.items() <= has.items():
                total += float(found[3])
    return total


def no_traceback(running):
    log = "".join(running.log)
    assert "Traceback" not in log, log
