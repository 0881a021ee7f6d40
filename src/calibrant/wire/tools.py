"""Tools that come with a request, whatever its dialect: what their formats mean."""

from __future__ import annotations

from calibrant.apischema.native import ToolFormat
from calibrant.types.tool import CustomTool, Grammar
from calibrant.wire.body import invalid

__all__ = ["custom_tool"]


def custom_tool(name: str, description: str | None, form: ToolFormat | None, path: str) -> CustomTool:
    """Return a tool that is called with text.

    Args:
        name: What the model calls it.
        description: What it does.
        form: What the text must follow; null for any text.
        path: Where the tool is in the body.

    Raises:
        InvalidRequest: it has no name, or its format is no grammar and not none.
    """
    if not name:
        raise invalid("must not be empty", f"{path}.name")
    if form is None or form.type == "text":
        if form is not None and form.grammar is not None:
            raise invalid("`grammar` goes with the type 'grammar'", f"{path}.format")
        return CustomTool(name, description or "")
    if form.grammar is None:
        raise invalid("a format of type 'grammar' needs `grammar`, with `syntax` and `definition`", f"{path}.format")
    return CustomTool(name, description or "", Grammar(form.grammar.syntax, form.grammar.definition))
