"""The page that shows an OpenAPI document: HTML and nothing else. No script, and nothing is fetched from elsewhere."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from typing import Any, Final

import msgspec

__all__ = ["CONTENT_SECURITY_POLICY", "render_page"]

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d8dee4; --back: #ffffff; --pane: #f6f8fa;
  --link: #0a58ca; --get: #1a7f37; --post: #0a58ca; --patch: #9a6700; --delete: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #30363d; --back: #0d1117;
  --pane: #161b22; --link: #6cb0ff; --get: #56d364; --post: #6cb0ff; --patch: #e3b341; --delete: #ff8a80; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); display: grid;
  grid-template-columns: 21rem minmax(0, 1fr); }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; border-right: 1px solid var(--line);
  background: var(--pane); font-size: 13px; }
nav h2 { font-size: 12px; text-transform: uppercase; letter-spacing: .06em; color: var(--soft);
  margin: 1.2rem 0 .3rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li { display: flex; gap: .5rem; padding: .1rem 0; }
nav li a { overflow-wrap: anywhere; }
main { padding: 1.5rem 2.5rem 5rem; max-width: 62rem; min-width: 0; }
h1 { margin: 0; font-size: 1.7rem; } h1 small { font-size: .9rem; font-weight: 400; color: var(--soft); }
h2.group { margin: 2.8rem 0 0; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
section { padding: 1.1rem 0 .6rem; border-bottom: 1px solid var(--line); }
h3 { margin: 0; font: 600 1rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
h4 { margin: .9rem 0 .2rem; font-size: .8rem; color: var(--soft); font-weight: 600; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { margin: .3rem 0; padding: .7rem .9rem; overflow: auto; background: var(--pane); border: 1px solid var(--line);
  border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
td { padding: .25rem .8rem .25rem 0; vertical-align: top; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
td:first-child { width: 34%; } td:nth-child(2) { width: 30%; color: var(--soft); }
summary { cursor: pointer; padding: .25rem 0; }
b.m { font: 600 12px/1.6 ui-monospace, monospace; min-width: 3.6rem; } .need { color: var(--delete); }
.get { color: var(--get); } .post { color: var(--post); } .patch { color: var(--patch); }
.delete { color: var(--delete); }
@media (max-width: 60rem) { body { display: block; } nav { position: static; height: auto; border-right: 0; }
  main { padding: 1rem; } }
"""
_DIGEST: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing may run, and nothing but the page's own style is used."""
_EXAMPLE_HOST: Final = "http://localhost:3000"
_CODE = re.compile(r"`([^`]+)`")

_Object = dict[str, Any]


def render_page(document: _Object) -> str:
    """Return the page."""
    groups = [(tag, [*_operations(document, tag["name"])]) for tag in document["tags"]]
    info = document["info"]
    base = document["servers"][0]["url"].rstrip("/")
    components = document["components"]["schemas"]
    nav = "".join(
        f"<h2>{escape(tag['name'])}</h2><ul>{''.join(map(_entry, found))}</ul>" for tag, found in groups if found
    )
    main = "".join(
        f'<h2 class="group">{escape(tag["name"].capitalize())}</h2><p class="soft">{_text(tag["description"])}</p>'
        + "".join(_operation(each, base, components) for each in found)
        for tag, found in groups
        if found
    )
    schemas = "".join(_component(name, schema) for name, schema in components.items())
    about = "".join(f"<p>{_text(part)}</p>" for part in info["description"].split("\n\n"))
    title = f"{escape(info['title'])} API"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f'<nav><a href="#top"><b>{title}</b></a>{nav}<h2><a href="#schemas">Schemas</a></h2></nav>'
        f'<main id="top"><h1>{title} <small>{escape(info["version"])}</small></h1>{about}'
        f'<p><a href="openapi.json">openapi.json</a> has all of this for programs.</p>{_keys(document)}{main}'
        f'<h2 class="group" id="schemas">Schemas</h2>{schemas}</main></body></html>\n'
    )


def _operations(document: _Object, tag: str) -> Iterator[tuple[str, str, _Object]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield method, path, operation


def _keys(document: _Object) -> str:
    schemes = document["components"]["securitySchemes"].values()
    told = [
        "<code>authorization: Bearer</code>" if each["type"] == "http" else f"<code>{escape(each['name'])}</code>"
        for each in schemes
    ]
    return f'<p class="soft">An API key goes into one of the headers {", ".join(told)}.</p>'


def _entry(found: tuple[str, str, _Object]) -> str:
    method, path, operation = found
    return f'<li>{_method(method)}<a href="#{escape(operation["operationId"])}">{escape(path)}</a></li>'


def _operation(found: tuple[str, str, _Object], base: str, components: _Object) -> str:
    method, path, operation = found
    parts = [
        f'<section id="{escape(operation["operationId"])}"><h3>{_method(method)} {escape(base + path)}</h3>',
        f'<p>{_text(operation["summary"])}</p><p class="soft">{_text(operation["description"])}</p>',
    ]
    parameters = operation.get("parameters", ())
    if parameters:
        parts.append(f"<h4>Parameters</h4><table>{''.join(map(_parameter, parameters))}</table>")
    body = operation.get("requestBody")
    if body is not None:
        parts.append(f"<h4>Body</h4>{''.join(_body(content, components) for content in body['content'].items())}")
    parts.append(f"<h4>Answers</h4><table>{''.join(_answers(operation['responses']))}</table>")
    parts.append(f"<h4>Example</h4><pre>{escape(_curl(method, base + path, operation))}</pre></section>")
    return "".join(parts)


def _body(content: tuple[str, _Object], components: _Object) -> str:
    media, schema = content[0], content[1]["schema"]
    name = schema.get("$ref", "").rpartition("/")[2]
    if name not in components:
        return f"<p>{_kind(schema)} as {escape(media)}</p>"
    return f"<details><summary><code>{escape(name)}</code></summary>{_fields(components[name])}</details>"


def _parameter(parameter: _Object) -> str:
    schema = parameter.get("schema") or parameter["content"]["application/json"]["schema"]
    written = "" if "schema" in parameter else " as JSON"
    where = f'<span class="soft">in the {escape(parameter["in"])}</span>'
    return _row(parameter["name"], _kind(schema) + written, f"{_text(parameter['description'])} {where}", parameter)


def _answers(responses: _Object) -> Iterator[str]:
    failures: dict[str, list[str]] = {}
    for status, response in responses.items():
        for media, content in response["content"].items():
            schema = content["schema"]
            if media == "text/event-stream":
                schema = schema["properties"]["data"]["anyOf"][1]["contentSchema"]
            kind = _kind(schema)
            if status != "200" and media == "application/json":
                failures.setdefault(kind, []).append(status)
                continue
            said = content["schema"].get("description", "") if media == "text/event-stream" else ""
            yield f"<tr><td><code>{status}</code> {escape(media)}</td><td>{kind}</td><td>{_text(said)}</td></tr>"
    for kind, statuses in failures.items():
        told = ", ".join(f"<code>{status}</code>" for status in statuses)
        yield f"<tr><td>{told}</td><td>{kind}</td><td></td></tr>"


def _curl(method: str, path: str, operation: _Object) -> str:
    lines = [f"curl {_EXAMPLE_HOST}{path}"]
    needed = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query" and each["required"]]
    if needed:
        query = "&".join(f"{name}=..." for name in needed)
        lines = [f"curl '{_EXAMPLE_HOST}{path}?{query}'"]
    if method not in ("get", "post") or (method == "post" and "requestBody" not in operation):
        lines[0] += f" -X {method.upper()}"
    if operation["security"] and {} not in operation["security"]:
        lines.append('-H "authorization: Bearer $CALIBRANT_API_KEY"')
    body = operation.get("requestBody")
    if body is not None:
        ((media, content),) = body["content"].items()
        example = content["example"] if isinstance(content["example"], str) else _json(content["example"])
        lines += [f"-H 'content-type: {media}'", f"-d '{example}'"]
    return " \\\n  ".join(lines)


def _component(name: str, schema: _Object) -> str:
    # The anchor stands inside, so that a link to it opens what is folded.
    return (
        f"<details><summary><code>{escape(name)}</code></summary>"
        f'<div id="schema-{escape(name)}">{_fields(schema)}</div></details>'
    )


def _fields(schema: _Object) -> str:
    required = schema.get("required", ())
    rows = "".join(
        _row(field, _kind(each), _text(each.get("description", "")), {"required": field in required})
        for field, each in schema["properties"].items()
    )
    closed = ' <span class="soft">Other fields are refused.</span>' if "additionalProperties" in schema else ""
    return f"<p>{_text(schema.get('description', ''))}{closed}</p><table>{rows}</table>"


def _row(name: str, kind: str, text: str, said: _Object) -> str:
    need = ' <span class="need" title="required">*</span>' if said.get("required") else ""
    return f"<tr><td><code>{escape(name)}</code>{need}</td><td>{kind}</td><td>{text}</td></tr>"


def _kind(schema: _Object) -> str:
    """Return what a schema allows, in a line, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    for word, between in (("anyOf", " or "), ("allOf", " with ")):
        if word in schema:
            return between.join(_kind(each) for each in schema[word])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return " or ".join(f"<code>{escape(_json(value))}</code>" for value in values)
    named = schema.get("type", "anything")
    return " or ".join(_typed(each, schema) for each in ([named] if isinstance(named, str) else named))


def _typed(name: str, schema: _Object) -> str:
    if name == "array" and "items" in schema:
        return f"list of {_kind(schema['items'])}"
    if name == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    if "format" in schema and name == "string":
        return escape(schema["format"])
    low, high = schema.get("minimum"), schema.get("maximum")
    if name in ("integer", "number") and low is not None:
        return f"{name} from {low} to {high}" if high is not None else f"{name} from {low}"
    return {"array": "list"}.get(name, escape(name))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _method(method: str) -> str:
    return f'<b class="m {method}">{method.upper()}</b>'


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
