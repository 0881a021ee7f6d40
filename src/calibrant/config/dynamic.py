"""A variant that comes with a request: read, checked and built as if the configuration had it."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from calibrant.base.errors import ConfigError, InvalidRequest, NotFound
from calibrant.config.schema import AnyVariant, Config
from calibrant.config.snapshot import restore

__all__ = ["DYNAMIC_VARIANT", "dynamic_variant", "edited_variant"]

DYNAMIC_VARIANT = "tensorzero::dynamic_variant"
"""The name under which it answers."""

_DATA = "__data"
_ROLES = ("system", "user", "assistant")
"""Whose templates a variant may have without having them now."""
_SECTIONS = ("gateway", "models", "embedding_models", "tools")
"""What a variant can refer to, beside its function."""


def dynamic_variant(config: Config, function_name: str, table: dict[str, Any]) -> AnyVariant:
    """Return the variant that a table means in the place of one of the function's.

    Where a configuration file has the path of a template, the table has its text: as a string, or as TensorZero's
    clients write it, `{"__tensorzero_remapped_path": "...", "__data": "text"}`.

    Args:
        config: The configuration.
        function_name: One of its functions.
        table: What a file would have at `functions.F.variants.V`.

    Raises:
        ConfigError: it has mistakes; the message lists all, one a line.
    """
    snapshot = msgspec.json.decode(config.canonical, type=dict[str, Any])
    document: dict[str, Any] = snapshot["document"]
    function: dict[str, Any] = dict(document["functions"][function_name])
    # It takes no part in the draw, whatever its weight.
    own = {key: _text(value) for key, value in table.items() if key != "weight"}
    function["variants"] = {**function["variants"], DYNAMIC_VARIANT: own}
    kept = {key: document[key] for key in _SECTIONS if key in document}
    snapshot["document"] = {**kept, "functions": {function_name: function}}
    try:
        made = restore(msgspec.json.encode(snapshot))
    except ConfigError as error:
        where = f"functions.{function_name}.variants.{DYNAMIC_VARIANT}"
        message = error.message.replace(f'functions.{function_name}.variants."{DYNAMIC_VARIANT}"', where)
        raise ConfigError(message.replace(f"snapshot: {where}", "internal_dynamic_variant_config")) from None
    return made.functions[function_name].variants[DYNAMIC_VARIANT]


def _text(value: Any) -> Any:
    """Return the value with each text that stands in the place of a path as a plain string."""
    if isinstance(value, list):
        return [_text(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    if isinstance(table.get(_DATA), str):
        return table[_DATA]
    return {key: _text(item) for key, item in table.items()}


def edited_variant(config: Config, function_name: str, variant_name: str, templates: dict[str, str]) -> dict[str, Any]:
    """Return the table of a variant of the configuration with other texts for some of its templates.

    Args:
        config: The configuration.
        function_name: One of its functions.
        variant_name: One of its variants.
        templates: Text by the name of the template; `system`, `user` and `assistant` are those of the roles.

    Raises:
        NotFound: there is no such function or variant.
        InvalidRequest: the variant has no such template, so that nothing would ask for the text.
    """
    document: dict[str, Any] = msgspec.json.decode(config.canonical, type=dict[str, Any])["document"]
    variants: dict[str, Any] = document.get("functions", {}).get(function_name, {}).get("variants", {})
    if variant_name not in variants:
        raise NotFound(f"Unknown variant: {variant_name[:80]!r} of the function {function_name[:80]!r}")
    table: dict[str, Any] = {**variants[variant_name]}
    named: dict[str, Any] = {**table.get("templates", {})}
    known = {*_ROLES, *named, *document["functions"][function_name].get("schemas", {})}
    for name, text in templates.items():
        if name not in known:
            raise InvalidRequest(
                f"templates: the variant {variant_name[:80]!r} of the function {function_name[:80]!r} has no template "
                f"{name[:80]!r}; there are {', '.join(sorted(known))}"
            )
        if f"{name}_template" in table:
            table[f"{name}_template"] = text
        else:
            named[name] = {"path": text}
    return {**table, "templates": named} if named else table
