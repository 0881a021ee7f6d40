"""From the parts of a Gemini answer to deltas, of a whole answer as of the events of a stream.

Parts of one kind that follow each other are one block. A part with a signature is a block of its own, since what
was signed must go back exactly as it came; on text or on a call the signature becomes a thought without text before
it, see `gemini_contents.py`.

Source: ai.google.dev/gemini-api/docs/thought-signatures.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from calibrant.apischema.gemini import ReadCall, ReadPart
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.gemini_model import made_id
from calibrant.types.reply import Delta, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta

__all__ = ["Parts"]

_decode = msgspec.json.Decoder(ReadPart).decode
_decode_any = msgspec.json.Decoder().decode
_SAYS_NOTHING = frozenset({"thought", "thoughtSignature"})


class Parts:
    """Reads the parts of one answer, in one go or as they come."""

    __slots__ = ("_alone", "_blocks", "_calls", "_discard_unknown", "_ids", "_json_tool", "_kind", "_type", "saw_tool")

    def __init__(self, provider_type: str, *, json_tool: bool, discard_unknown: bool = False) -> None:
        """Start before the first part."""
        self._type = provider_type
        self._json_tool = json_tool
        self._discard_unknown = discard_unknown
        self._blocks = 0
        self._calls = 0
        self._ids: set[str] = set()
        self._kind = ""
        self._alone = False
        """Whether a signature has come with nothing to sign."""
        self.saw_tool = False

    def read(self, raws: Iterable[Raw], response_id: str | None) -> list[Delta]:
        """Return what the parts add.

        Raises:
            msgspec.DecodeError: one of them is none.
        """
        out: list[Delta] = []
        for raw in raws:
            part = _decode(raw)
            signature = part.thought_signature or None
            if part.function_call is not None:
                self._signed(signature, out)
                self._call(part.function_call, response_id, out)
            elif part.text is None:
                self._other(raw, signature, out)
            elif part.thought:
                self._thought(part.text, signature, out)
            elif part.text:
                self._signed(signature, out)
                out.append(TextDelta(self._block("text"), part.text))
                if signature is not None:
                    self._kind = ""
            elif signature is not None:
                self._mark(signature, out)
        return out

    def _block(self, kind: str = "") -> str:
        """Return the id of the block that a piece of this kind goes to; without a kind, of a new one."""
        if not kind or kind != self._kind:
            self._kind = kind
            self._blocks += 1
        return str(self._blocks - 1)

    def _signed(self, signature: str | None, out: list[Delta]) -> None:
        if signature is not None:
            out.append(ThoughtDelta(self._block(), None, signature, self._type))
        elif self._alone:
            # Without this, the signature that stood alone would go back on what comes now.
            out.append(TextDelta(self._block(), ""))
        self._alone = False

    def _mark(self, signature: str, out: list[Delta]) -> None:
        out.append(ThoughtDelta(self._block(), None, signature, self._type))
        self._alone = True

    def _thought(self, text: str, signature: str | None, out: list[Delta]) -> None:
        if text or signature is not None:
            self._alone = False
            out.append(ThoughtDelta(self._block("" if signature else "thought"), text, signature, self._type))

    def _other(self, raw: Raw, signature: str | None, out: list[Delta]) -> None:
        data = _decode_any(raw)
        if _SAYS_NOTHING.issuperset(data):
            if signature is not None:
                self._mark(signature, out)
        elif not self._discard_unknown:
            self._signed(None, out)
            out.append(UnknownDelta(self._block(), data))

    def _call(self, call: ReadCall, response_id: str | None, out: list[Delta]) -> None:
        arguments = bytes(call.args).decode()
        if arguments in ("", "null"):
            arguments = "{}"
        if self._json_tool and call.name == JSON_TOOL:
            out.append(TextDelta(self._block(), arguments))
            return
        self._kind = ""
        self.saw_tool = True
        id_ = call.id
        if not id_ or id_ in self._ids:
            id_ = made_id(self._calls, response_id)
        self._ids.add(id_)
        self._calls += 1
        out.append(ToolCallDelta(id_, arguments, call.name or ""))
