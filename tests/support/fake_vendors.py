"""Vendors on loopback. One small mind behind four dialects: OpenAI's chat and Responses, Anthropic's, Gemini's.

Asked for the weather with a tool at hand, it thinks and calls the tool for Rome and for Oslo at once; given results, it
tells them; asked for JSON, it describes Ada; else it says what it was told and how many turns it remembers.

And `SCRIPTS`: models that say the same whatever they are asked, behind the fake provider of `calibrant.testing`, whose
codecs the mind has, too.
"""

import json
from contextlib import contextmanager

from tests.support.canned import Reply, canned

from calibrant.testing.completion import DONE, decode_request
from calibrant.testing.completion import completion as chat_whole
from calibrant.testing.completion import events as chat_events
from calibrant.testing.faults import Answer, Script, Tokens, ToolUse, json_answer
from calibrant.testing.gemini import asked_of_gemini, generated, generated_events
from calibrant.testing.messages import MESSAGE_STOP, message, message_events

CITIES = ("Rome", "Oslo")
ADA = '{"name":"Ada","age":36}'
SIGNATURE = "c2lnbmF0dXJl"
ENCRYPTED = "gAAAA+/enc="
DIALECTS = ("chat", "responses", "anthropic", "gemini")


class Fakes:
    """What came in, as JSON, oldest first."""

    def __init__(self, server):
        self.server = server

    @property
    def bodies(self):
        return [json.loads(seen.body) for seen in self.server.seen]

    @property
    def last(self):
        return self.bodies[-1]

    def models(self):
        """The configuration of a model for each dialect, under the dialect's name."""
        base = self.server.base
        return f"""
[models.chat]
routing = ["p"]
[models.chat.providers.p]
type = "openai"
model_name = "upstream"
api_base = "{base}/v1"
api_key_location = "none"
[models.responses]
routing = ["p"]
[models.responses.providers.p]
type = "openai"
api_type = "responses"
model_name = "upstream"
api_base = "{base}/v1"
api_key_location = "none"
[models.anthropic]
routing = ["p"]
[models.anthropic.providers.p]
type = "anthropic"
model_name = "claude-sonnet-4-6"
api_base = "{base}/v1"
api_key_location = "none"
[models.gemini]
routing = ["p"]
[models.gemini.providers.p]
type = "google_ai_studio_gemini"
model_name = "upstream"
api_base = "{base}/v1beta"
api_key_location = "none"
"""


@contextmanager
def fakes():
    """The four providers, until the block is left."""
    with canned(_answer) as server:
        yield Fakes(server)


_WEATHER = (
    ToolUse(name="weather", arguments='{"city":"Paris"}'),
    ToolUse(name="weather", arguments='{"city":"Oslo"}'),
)
SCRIPTS = {
    "plain": Script(Answer(tokens=Tokens(prompt=11, completion=7, cached=4))),
    "tools": Script(Answer(text="Let me see.", tool_calls=_WEATHER)),
    "thinking": Script(Answer(text="Yes.", reasoning="Hm, well.", tool_calls=_WEATHER[:1])),
    "json": Script(json_answer({"name": "Ada", "age": 36})),
    "long": Script(Answer(text="and so on", finish_reason="length")),
    "away": Script(status=500),
    "breaks": Script(Answer(text="one two three four"), fault="truncated", after_chunks=4),
}
SCRIPTED = {"openai": "/v1", "anthropic": "/v1", "google_ai_studio_gemini": "/v1beta"}
"""The provider types behind which the scripts are."""


def scripted(upstream):
    """The configuration of a model for every script behind every such type, such as `openai-plain`."""
    return "".join(
        f'[models.{kind}-{name}]\nrouting = ["p"]\n'
        f'[models.{kind}-{name}.providers.p]\ntype = "{kind}"\nmodel_name = "{name}"\n'
        f'api_base = "{upstream.origin}{base}"\napi_key_location = "none"\n'
        for kind, base in SCRIPTED.items()
        for name in SCRIPTS
    )


def _answer(seen):
    body = json.loads(seen.body)
    if seen.path.endswith("/chat/completions"):
        return _said(decode_request(seen.body), _chat(body), chat_whole, chat_events, DONE)
    if seen.path.endswith("/responses"):
        return _responses(body)
    if seen.path.endswith("/messages"):
        return _said(decode_request(seen.body, "messages"), _anthropic(body), message, message_events, MESSAGE_STOP)
    asked = asked_of_gemini(seen.path.partition("?")[0].encode(), seen.body)
    return _said(asked, _gemini(body), generated, generated_events, b"")


def _said(request, answer, whole, events, done):
    """The answer in a dialect of the fake provider."""
    if not request.stream:
        return Reply(whole(request, answer, 1))
    return Reply(b"".join([*events(request, Script(answer), 1, lambda: 0), done]), "text/event-stream")


def _think(turns, results, *, tools, wants_json):
    """What to say, and whether to call: the user's words, and what tools answered in the last turn."""
    if wants_json:
        return ADA, False
    if results:
        return "; ".join(results), False
    said = turns[-1] if turns else ""
    if tools and "weather" in said:
        return "Let me look.", True
    return f"You said {said!r}; I remember {len(turns)}.", False


def _thought(turns, results, *, tools, wants_json, prefix, reasoning=None):
    """The same as the fake provider has answers; calls have ids that begin with the prefix, or none."""
    text, calling = _think(turns, results, tools=tools, wants_json=wants_json)
    calls = [
        ToolUse(name="get_weather", arguments=_arguments(city), id=f"{prefix}_{city}" if prefix else "")
        for city in (CITIES if calling else ())
    ]
    return Answer(
        text=text,
        tool_calls=tuple(calls),
        reasoning=reasoning if calling else None,
        tokens=Tokens(prompt=10, completion=5, cached=2),
        calls_in_turn=calling and "in order" not in turns[-1],
    )


def _arguments(city):
    return json.dumps({"city": city})


def _text(content):
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text", "") for part in content)


def _chat(body):
    messages = body["messages"]
    turns = [_text(m["content"]) for m in messages if m["role"] == "user"]
    results = [_text(m["content"]) for m in messages if m["role"] == "tool"] if messages[-1]["role"] == "tool" else []
    wants = (body.get("response_format") or {}).get("type") in ("json_object", "json_schema")
    return _thought(turns, results, tools=body.get("tools"), wants_json=wants, prefix="call")


def _anthropic(body):
    turns, results = [], []
    for said in body["messages"]:
        content = said["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if said["role"] == "user":
            results = [_text(b["content"]) for b in blocks if b["type"] == "tool_result"]
            turns += [b["text"] for b in blocks if b["type"] == "text"]
    wants = "output_config" in body and "format" in body["output_config"]
    return _thought(turns, results, tools=body.get("tools"), wants_json=wants, prefix="toolu", reasoning="Hm.")


def _gemini(body):
    turns, results = [], []
    for content in body["contents"]:
        if content["role"] == "user":
            turns += [part["text"] for part in content["parts"] if "text" in part]
            found = [part["functionResponse"]["response"] for part in content["parts"] if "functionResponse" in part]
            results = [next(iter(each.values())) for each in found]
    wants = (body.get("generationConfig") or {}).get("responseMimeType") == "application/json"
    return _thought(turns, results, tools=body.get("tools"), wants_json=wants, prefix="")


# --- OpenAI's Responses ---


def _responses(body):
    items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    turns = [_text(item["content"]) for item in items if item.get("role") == "user"]
    answered = items[-1].get("type") == "function_call_output"
    results = [_text(i["output"]) for i in items if i.get("type") == "function_call_output"] if answered else []
    wants = ((body.get("text") or {}).get("format") or {}).get("type") in ("json_object", "json_schema")
    text, calling = _think(turns, results, tools=body.get("tools"), wants_json=wants)
    output = [
        {
            "type": "reasoning",
            "id": "rs_upstream",
            "summary": [{"type": "summary_text", "text": "Thinking."}],
            "encrypted_content": ENCRYPTED,
        },
        {
            "type": "message",
            "id": "msg_upstream",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
        },
    ]
    output += [
        {
            "type": "function_call",
            "id": f"fc_{city}",
            "call_id": f"call_{city}",
            "name": "get_weather",
            "arguments": _arguments(city),
            "status": "completed",
        }
        for city in (CITIES if calling else ())
    ]
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 15,
    }
    whole = {"id": "resp_upstream", "object": "response", "model": "served", "status": "completed", "output": output}
    whole |= {"usage": usage, "error": None, "incomplete_details": None}
    if not body.get("stream"):
        return Reply(json.dumps(whole).encode())
    parts = [{"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}]
    for index, item in enumerate(output):
        where = {"item_id": item["id"], "output_index": index}
        parts.append({"type": "response.output_item.added", "output_index": index, "item": _begun(item)})
        match item["type"]:
            case "reasoning":
                named = "response.reasoning_summary_text.delta"
                parts += [{"type": named, **where, "summary_index": 0, "delta": p} for p in _pieces("Thinking.")]
            case "message":
                named = "response.output_text.delta"
                parts += [{"type": named, **where, "content_index": 0, "delta": p} for p in _pieces(text)]
            case _:
                named = "response.function_call_arguments.delta"
                parts += [{"type": named, **where, "delta": p} for p in _pieces(item["arguments"])]
        parts.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return _events(*parts, {"type": "response.completed", "response": whole})


def _begun(item):
    empty = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}}
    return {**item, **empty[item["type"]]}


def _pieces(text):
    return [text[at : at + 6] for at in range(0, len(text), 6)]


def _events(*parts):
    lines = [f"event: {part['type']}\ndata: {json.dumps(part)}\n\n" for part in parts]
    return Reply("".join(lines).encode(), "text/event-stream")
