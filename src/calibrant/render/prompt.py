"""Renders an input with a variant's templates into the system prompt and the messages of a model call."""

from __future__ import annotations

from calibrant.base.errors import RenderError
from calibrant.render.template import Templates
from calibrant.types.content import InputBlock, RawText, Template, Text
from calibrant.types.message import Input, Message

__all__ = ["render_input"]


def render_input(
    input: Input,  # noqa: A002 - the protocol's own word
    templates: Templates | None,
    legacy_roles: frozenset[str],
) -> tuple[str | None, tuple[Message, ...]]:
    """Return the system prompt and the messages, with no template left in them.

    Plain text goes through a template only where the template was set by a legacy key of its role, as the
    variable `user_text` or `assistant_text`; the system prompt always goes through a template named `system`.

    Raises:
        RenderError: a template is missing or cannot be rendered.
    """
    if templates is None or not templates.names:
        return _plain_system(input), tuple([_plain(message) for message in input.messages])
    messages = tuple([_message(message, templates, legacy_roles) for message in input.messages])
    return _system(input, templates), messages


def _system(input: Input, templates: Templates) -> str | None:  # noqa: A002
    if "system" not in templates.names:
        return _plain_system(input)
    if isinstance(input.system, dict):
        return templates.render("system", input.system)
    return templates.render("system", {} if input.system is None else {"system_text": input.system})


def _plain_system(input: Input) -> str | None:  # noqa: A002
    if isinstance(input.system, dict):
        raise RenderError("input.system has arguments, but the variant has no template `system`")
    return input.system


def _plain(message: Message) -> Message:
    # Most messages are text alone and pass as they are.
    for block in message.content:
        if isinstance(block, (Template, RawText)):
            break
    else:
        return message
    return Message(message.role, tuple(_plain_block(block) for block in message.content))


def _plain_block(block: InputBlock) -> InputBlock:
    if isinstance(block, RawText):
        return Text(block.value)
    if isinstance(block, Template):
        raise RenderError(f"the variant has no template {block.name!r}")
    return block


def _message(message: Message, templates: Templates, legacy_roles: frozenset[str]) -> Message:
    legacy = message.role if message.role in legacy_roles else None
    return Message(message.role, tuple([_block(block, templates, legacy) for block in message.content]))


def _block(block: InputBlock, templates: Templates, legacy_role: str | None) -> InputBlock:
    if isinstance(block, Template):
        return Text(templates.render(block.name, block.arguments))
    if isinstance(block, RawText):
        return Text(block.value)
    if isinstance(block, Text) and legacy_role is not None:
        return Text(templates.render(legacy_role, {f"{legacy_role}_text": block.text}))
    return block
