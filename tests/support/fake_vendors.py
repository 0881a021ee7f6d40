"""One small mind behind four dialects: OpenAI's chat and Responses, Anthropic's messages, Gemini's generateContent.

Asked for the weather with a tool at hand, it thinks and calls the tool for Rome and for Oslo at once; given results, it
tells them; asked for JSON, it describes Ada; else it says what it was told and how many turns it remembers.
"""

import json
from contextlib import contextmanager
from itertools import zip_longest

from tests.support.canned import Reply, canned

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


def _answer(seen):
    body = json.loads(seen.body)
    if seen.path.endswith("/chat/completions"):
        return _chat(body)
    if seen.path.endswith("/responses"):
        return _responses(body)
    if seen.path.endswith("/messages"):
        return _anthropic(body)
    return _gemini(body, stream=":stream" in seen.path)


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


def _pieces(text):
    return [text[at : at + 6] for at in range(0, len(text), 6)]


def _events(*parts, named=False):
    lines = [(f"event: {part['type']}\n" if named else "") + f"data: {json.dumps(part)}\n\n" for part in parts]
    return Reply("".join(lines).encode(), "text/event-stream")


def _whole(value):
    return Reply(json.dumps(value).encode())


def _text(content):
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text", "") for part in content)


# --- OpenAI's chat completions ---


def _chat(body):
    messages = body["messages"]
    turns = [_text(m["content"]) for m in messages if m["role"] == "user"]
    results = [_text(m["content"]) for m in messages if m["role"] == "tool"] if messages[-1]["role"] == "tool" else []
    wants = (body.get("response_format") or {}).get("type") in ("json_object", "json_schema")
    text, calling = _think(turns, results, tools=body.get("tools"), wants_json=wants)
    calls = [
        {"id": f"call_{city}", "type": "function", "function": {"name": "get_weather", "arguments": _arguments(city)}}
        for city in (CITIES if calling else ())
    ]
    finish = "tool_calls" if calls else "stop"
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2}}
    head = {"id": "chatcmpl-1", "created": 1, "model": "served"}
    if not body.get("stream"):
        message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return _whole({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in _pieces(text))]
    deltas += _calls(calls, in_order=bool(calls) and "in order" in turns[-1])
    head["object"] = "chat.completion.chunk"
    chunks = [{**head, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    reply = _events(*chunks, end, {**head, "choices": [], "usage": usage})
    return Reply(reply.body + b"data: [DONE]\n\n", reply.content_type)


def _calls(calls, *, in_order):
    """The pieces of calls, one call after the other or in turn, as some servers send them."""
    rows = []
    for index, call in enumerate(calls):
        begun = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        pieces = _pieces(call["function"]["arguments"])
        rows.append([begun, *({"index": index, "function": {"arguments": piece}} for piece in pieces)])
    if not in_order:
        rows = [[piece for turn in zip_longest(*rows) for piece in turn if piece is not None]]
    return [{"tool_calls": [piece]} for row in rows for piece in row]


def _arguments(city):
    return json.dumps({"city": city})


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
        return _whole(whole)
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
    return _events(*parts, {"type": "response.completed", "response": whole}, named=True)


def _begun(item):
    empty = {"reasoning": {"summary": []}, "message": {"content": []}, "function_call": {"arguments": ""}}
    return {**item, **empty[item["type"]]}


# --- Anthropic's messages ---


def _anthropic(body):
    turns, results = [], []
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == "user":
            results = [_text(b["content"]) for b in blocks if b["type"] == "tool_result"]
            turns += [b["text"] for b in blocks if b["type"] == "text"]
    wants = "output_config" in body and "format" in body["output_config"]
    text, calling = _think(turns, results, tools=body.get("tools"), wants_json=wants)
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE}] if calling else []
    blocks.append({"type": "text", "text": text})
    for city in CITIES if calling else ():
        blocks.append({"type": "tool_use", "id": f"toolu_{city}", "name": "get_weather", "input": {"city": city}})
    stop = "tool_use" if calling else "end_turn"
    usage = {"input_tokens": 8, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 0, "output_tokens": 5}
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "served", "content": blocks}
    whole |= {"stop_reason": stop, "stop_sequence": None, "usage": usage}
    if not body.get("stream"):
        return _whole(whole)
    parts = [{"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}]
    for index, block in enumerate(blocks):
        start, deltas = _torn(block)
        parts.append({"type": "content_block_start", "index": index, "content_block": start})
        parts += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        parts.append({"type": "content_block_stop", "index": index})
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": None},
        "usage": usage,
    }
    return _events(*parts, end, {"type": "message_stop"}, named=True)


def _torn(block):
    match block["type"]:
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*deltas, signed]
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        case _:
            pieces = _pieces(json.dumps(block["input"]))
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


# --- Gemini's generateContent ---


def _gemini(body, *, stream):
    turns, results = [], []
    for content in body["contents"]:
        if content["role"] == "user":
            turns += [part["text"] for part in content["parts"] if "text" in part]
            found = [part["functionResponse"]["response"] for part in content["parts"] if "functionResponse" in part]
            results = [next(iter(each.values())) for each in found]
    wants = (body.get("generationConfig") or {}).get("responseMimeType") == "application/json"
    text, calling = _think(turns, results, tools=body.get("tools"), wants_json=wants)
    parts = [{"text": piece} for piece in _pieces(text)]
    for place, city in enumerate(CITIES if calling else ()):
        call = {"functionCall": {"name": "get_weather", "args": {"city": city}}}
        parts.append(call if place else {**call, "thoughtSignature": SIGNATURE})
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15, "cachedContentTokenCount": 2}
    ends = [{} for _ in parts[1:]] + [{"finishReason": "STOP"}]
    head = {"modelVersion": "served", "responseId": "r1", "usageMetadata": usage}
    if not stream:
        content = {"role": "model", "parts": parts}
        return _whole({**head, "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}]})
    chunks = [
        {**head, "candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, **end}]}
        for part, end in zip(parts, ends, strict=True)
    ]
    return _events(*chunks)
