"""What must hold between the parts of a document, beyond the shape of each: names exist, limits agree.

The document has been pruned of what does not fit its shape, so a name counts as existing when the tree has
it, even where what it names was pruned: one mistake is told once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import jsonschema_rs
import msgspec

from calibrant.config.document import Document
from calibrant.config.document_gateway import Relay, S3Storage
from calibrant.config.document_models import EmbeddingModelTable, ModelTable
from calibrant.config.document_parts import TimeoutsTable
from calibrant.config.marks import parse_bytes
from calibrant.config.merge import Origins
from calibrant.config.problem import Path, Problem, dotted
from calibrant.config.setting import fault_of_setting
from calibrant.config.shape import did_you_mean
from calibrant.config.shorthand import fault_of_shorthand
from calibrant.config.vendors import VENDORS

__all__ = ["Report", "check", "check_schema", "check_timeouts", "names", "unknown_model"]

_RESERVED = ("tensorzero::", "calibrant::")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_PREFIX = re.compile(r"(?!/)(?:(?!//|(?:^|/)\.\.?(?:/|$))[A-Za-z0-9_./-])*")
_HOOK = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class Report:
    """Collects problems, and knows which file each place is in."""

    __slots__ = ("_origins", "problems")

    def __init__(self, origins: Origins) -> None:
        """Start with no problem."""
        self._origins = origins
        self.problems: list[Problem] = []

    def __call__(self, path: Path, problem: str, remedy: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(self._origins.file(path), dotted(path), problem, remedy))


def names(tree: dict[str, Any], *path: str) -> set[str]:
    """Return the names that the table at this path defines."""
    table = tree
    for key in path:
        found = table.get(key)
        if not isinstance(found, dict):
            return set()
        table = cast("dict[str, Any]", found)
    return set(table)


def check(document: Document, tree: dict[str, Any], report: Report) -> None:
    """Report what is wrong outside the functions, which `check_functions.py` looks at.

    Args:
        document: The embedded document, pruned.
        tree: The document before it was pruned.
        report: Where problems go.
    """
    _check_gateway(document, report)
    if isinstance(document.object_storage, S3Storage):
        _check_bucket(document.object_storage, report)
    _check_names(tree, report)
    for (section, name), model in document.model_tables():
        _check_model((section, name), model, names(tree, section, name, "providers"), document, report)
    for name, tool in document.tools.items():
        check_schema(tool.parameters, ("tools", name, "parameters"), report)


def check_schema(text: str, path: Path, report: Report) -> None:
    """Report a text that is no JSON Schema."""
    try:
        jsonschema_rs.validator_for(msgspec.json.decode(text), validate_formats=False, retriever=_refuse)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        fault = str(error).split("\n", 1)[0]
        report(path, f"names a file that is no valid JSON Schema: {fault}", "mend the schema")


def check_timeouts(path: Path, timeouts: TimeoutsTable, ceiling: int, report: Report) -> None:
    """Report timeouts that are longer than any call may take."""
    for key, value in (
        (("non_streaming", "total_ms"), timeouts.non_streaming.total_ms),
        (("streaming", "ttft_ms"), timeouts.streaming.ttft_ms),
        (("streaming", "total_ms"), timeouts.streaming.total_ms),
        (("streaming", "idle_ms"), timeouts.streaming.idle_ms),
    ):
        if value is not None and value > ceiling:
            _too_long((*path, "timeouts", *key), value, ceiling, report)


def unknown_model(
    name: str, models: Iterable[str], kind_of: str = "model", example: str = "openai::gpt-4o-mini"
) -> tuple[str, str] | None:
    """Return what is wrong with the name of a model and what would be right, or null where it names one.

    Args:
        name: What should be a model.
        models: Those that are configured.
        kind_of: What a person calls them.
        example: A shorthand of one.
    """
    known = set(models)
    if name in known:
        return None
    kind, separator, rest = name.partition("::")
    vendor = VENDORS.get(kind)
    if not separator or vendor is None:
        return (
            f"names the {kind_of} {name!r}, which is not configured",
            f"{did_you_mean(name, known)}; or write a shorthand such as {example!r}",
        )
    if not vendor.shorthand:
        return (
            f"names {name!r}, but the provider type {kind!r} has no shorthand",
            "configure a model with `routing` and a provider of this type",
        )
    return fault_of_shorthand(kind, rest)


def _refuse(uri: str) -> Any:
    raise ValueError(f"it refers to {uri}, which is not part of it")


def _check_gateway(document: Document, report: Report) -> None:
    gateway = document.gateway
    if gateway.bind_address is not None and (gateway.host is not None or gateway.port is not None):
        report(
            ("gateway", "bind_address"),
            "is set beside `host` or `port`",
            "keep `bind_address`, or `host` and `port`",
        )
    buckets = gateway.metrics.tensorzero_inference_latency_overhead_seconds_buckets
    if list(buckets) != sorted(set(buckets)):
        report(
            ("gateway", "metrics", "tensorzero_inference_latency_overhead_seconds_buckets"),
            "is not in strictly ascending order",
            f"write {sorted(set(buckets))}",
        )
    if gateway.relay is not None:
        _check_relay(gateway.relay, report)
    if document.record.redact is not None and not _HOOK.fullmatch(document.record.redact):
        report(("record", "redact"), "names no function", 'write "package.module:function"')
    if parse_bytes(document.spool.segment_bytes) > parse_bytes(document.spool.max_bytes):
        report(("spool", "segment_bytes"), "is more than `spool.max_bytes`", "make a segment a small part of it")


def _check_bucket(table: S3Storage, report: Report) -> None:
    here: Path = ("object_storage",)
    if not table.bucket_name or not _BUCKET.fullmatch(table.bucket_name):
        report((*here, "bucket_name"), "names no bucket", "write the name of one, such as 'my-files'")
    endpoint = table.endpoint
    if endpoint is not None and (fault := fault_of_setting("endpoint", endpoint)) is not None:
        report((*here, "endpoint"), fault, "write scheme, host and port, such as 'https://s3.example.com'")
    elif endpoint is not None and endpoint.startswith("http://") and not table.allow_http:
        report((*here, "endpoint"), "is plain HTTP", "write https://, or set `allow_http = true`")
    if table.region is not None and (fault := fault_of_setting("region", table.region)) is not None:
        report((*here, "region"), fault, "write one such as 'eu-west-1', or leave it out for AWS_REGION")
    if not _PREFIX.fullmatch(table.prefix):
        report((*here, "prefix"), "has more than letters, digits and -_./ in it", "choose another")


def _check_relay(relay: Relay, report: Report) -> None:
    path, right = (
        ("gateway", "relay", "gateway_url"),
        'write the address of the other gateway, as in "https://gateway.example.com"',
    )
    if relay.gateway_url is None:
        report(path, "is missing", right)
    elif (fault := fault_of_setting("endpoint", relay.gateway_url)) is not None:
        report(path, fault, right)


def _check_names(tree: dict[str, Any], report: Report) -> None:
    for section in ("functions", "models", "embedding_models", "tools", "metrics"):
        for name in sorted(names(tree, section)):
            if name.startswith(_RESERVED):
                prefix = next(each for each in _RESERVED if name.startswith(each))
                report((section, name), f"starts with {prefix!r}, which is reserved", "choose another name")
            elif not name:
                report((section, name), "has an empty name", "give it one")
    for name in sorted({"comment", "demonstration"} & names(tree, "metrics")):
        report(("metrics", name), "has a name that feedback itself uses", "choose another name")


def _check_model(
    path: Path, model: ModelTable | EmbeddingModelTable, known: set[str], document: Document, report: Report
) -> None:
    ceiling = document.gateway.global_outbound_http_timeout_ms
    check_timeouts(path, model.timeouts, ceiling, report)
    embeds = isinstance(model, EmbeddingModelTable)
    if embeds:
        _check_timeout(path, model.timeout_ms, model.timeouts, ceiling, report)
    for i, name in enumerate(model.routing):
        if name not in known:
            report(
                (*path, "routing", i),
                f"names the provider {name!r}, which the model lacks",
                did_you_mean(name, known),
            )
        elif name in model.routing[:i]:
            report((*path, "routing", i), f"names the provider {name!r} a second time", "name each once")
    for name, provider in model.providers.items():
        here = (*path, "providers", name)
        check_timeouts(here, provider.timeouts, ceiling, report)
        if embeds:
            _check_timeout(here, provider.timeout_ms, provider.timeouts, ceiling, report)
            _check_embeds(here, str(provider.__struct_config__.tag), report)
        base = getattr(provider, "api_base", None)
        if base is not None and not base.startswith(("http://", "https://")):
            report((*here, "api_base"), "is no address", 'start it with "https://" or "http://"')


def _check_timeout(path: Path, timeout_ms: int | None, timeouts: TimeoutsTable, ceiling: int, report: Report) -> None:
    """Report an embedding's timeout that cannot be kept. It has two names; who writes both may mean either."""
    if timeout_ms is None:
        return
    if timeout_ms > ceiling:
        _too_long((*path, "timeout_ms"), timeout_ms, ceiling, report)
    if timeouts.non_streaming.total_ms is not None:
        report((*path, "timeout_ms"), "is set beside `timeouts.non_streaming.total_ms`", "keep one of the two")


def _check_embeds(path: Path, type_: str, report: Report) -> None:
    if not VENDORS[type_].embeddings:
        known = ", ".join(sorted(name for name, vendor in VENDORS.items() if vendor.embeddings))
        report((*path, "type"), f"is {type_!r}, which has no embeddings", f"write one of {known}")


def _too_long(path: Path, value: int, ceiling: int, report: Report) -> None:
    report(
        path,
        f"is {value}, but no call may take longer than {ceiling} ms",
        "lower it, or raise `gateway.global_outbound_http_timeout_ms`",
    )
