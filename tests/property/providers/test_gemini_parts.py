"""What Gemini answered goes back to it part for part, signatures byte for byte, whole or streamed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.gemini import FIELDS, KINDS, body, events

from calibrant.providers.catalog import adapter
from calibrant.types.call import ModelCall
from calibrant.types.content import Text, ToolCall
from calibrant.types.message import Message
from calibrant.types.reply import Reply, fold

texts = st.text(max_size=3)
signatures = st.fixed_dictionaries({}, optional={"thoughtSignature": st.text("aZ+/_-=", min_size=1, max_size=5)})
calls = st.fixed_dictionaries(
    {"name": st.sampled_from(("f", "g")), "args": st.dictionaries(texts, st.integers(0, 9) | texts, max_size=2)}
)
plain = (
    st.fixed_dictionaries({"text": texts})
    | st.fixed_dictionaries({"text": texts, "thought": st.just(True)})
    | st.fixed_dictionaries({"functionCall": calls})
    | st.fixed_dictionaries({"executableCode": st.dictionaries(texts, texts, max_size=1)})
    | st.just({})
)
parts = st.tuples(plain, signatures).map(lambda pair: {**pair[0], **pair[1]})


def joined(given_parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts with unsigned ones of one kind of text joined, and without those that say nothing."""
    out: list[dict[str, Any]] = []
    for part in given_parts:
        if "thoughtSignature" not in part and not {"functionCall", "executableCode"} & set(part):
            if not part.get("text"):
                continue
            last = out[-1] if out else {}
            if "thoughtSignature" not in last and "text" in last and last.get("thought") == part.get("thought"):
                out[-1] = {**last, "text": last["text"] + part["text"]}
                continue
        elif set(part) == {"thoughtSignature"}:
            part = {"text": "", **part}
        out.append(part)
    return out


def sent(kind: str, reply: Reply) -> list[dict[str, Any]]:
    question, ending = Message("user", (Text("?"),)), Message("user", (Text("!"),))
    call = ModelCall(None, (question, Message("assistant", reply.content), ending))
    contents = msgspec.json.decode(adapter(provider(kind, **FIELDS[kind])).encode(call).body)["contents"]
    return [part for content in contents if content["role"] == "model" for part in content["parts"]]


@pytest.mark.parametrize("kind", KINDS)
@given(given_parts=st.lists(parts, max_size=8), cuts=st.lists(st.integers(0, 8), max_size=4))
@settings(max_examples=200, deadline=None)
def test_parts_go_back_as_they_came(kind: str, given_parts: list[dict[str, Any]], cuts: list[int]) -> None:
    made = adapter(provider(kind, **FIELDS[kind]))
    whole = made.decode(200, (), msgspec.json.encode(body(given_parts, "STOP")), json_tool=False)
    bounds = [0, *sorted(min(cut, len(given_parts)) for cut in cuts), len(given_parts)]
    pieces = [body(given_parts[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]
    decoder = made.decoder(json_tool=False)
    streamed = fold([*decoder.feed(events(*pieces, body([{"text": ""}], "STOP"))), *decoder.close()])
    assert streamed.content == whole.content
    assert sent(kind, whole) == joined(given_parts)
    called = [block.id for block in whole.content if isinstance(block, ToolCall)]
    assert len(called) == len(set(called))
