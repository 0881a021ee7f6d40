"""What a value of the document means beyond its type: a path of a file, a credential's location, a size.

`document.py` puts these marks on its fields. `shape.py` checks what can be checked without reading anything,
`embed.py` replaces files by what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv6Address
from typing import Annotated, Any

from msgspec import Meta

__all__ = [
    "Address",
    "ByteSize",
    "Directory",
    "JsonFile",
    "KeptPath",
    "Location",
    "Mark",
    "Private",
    "TemplateFile",
    "TextFile",
    "fault_of",
    "parse_address",
    "parse_bytes",
]

Mark = str

TemplateFile = Annotated[str, Meta(extra={"mark": "template"})]
"""Path of a MiniJinja template; it may include others."""
TextFile = Annotated[str, Meta(extra={"mark": "text"})]
"""Path of a text that no template engine reads."""
JsonFile = Annotated[str, Meta(extra={"mark": "json"})]
"""Path of a JSON Schema."""
Directory = Annotated[str, Meta(extra={"mark": "directory"})]
"""Path of the folder from which templates may include others."""
KeptPath = Annotated[str, Meta(extra={"mark": "path"})]
"""Path of something that belongs to the machine, so that it is not part of a snapshot's content."""
Location = Annotated[str, Meta(extra={"mark": "location"})]
"""Where a credential is, never the credential."""
Address = Annotated[str, Meta(extra={"mark": "address"})]
"""`host:port`, with brackets around an IPv6 host."""
ByteSize = Annotated[int, Meta(ge=0)] | Annotated[str, Meta(extra={"mark": "bytes"})]
"""A number of bytes, or a text such as `"512MiB"`."""
Private = Annotated[Any, Meta(extra={"mark": "private"})]
"""May hold a credential, so it is left out of snapshots."""

_UNITS = {
    "": 1,
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate(("k", "M", "G", "T"), 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate(("K", "M", "G", "T"), 1)},
    "KB": 1000,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")
_NAMED = ("env::", "path::", "path_from_env::", "dynamic::")


def parse_bytes(size: int | str) -> int:
    """Return the number of bytes.

    Raises:
        ValueError: the text is no size.
    """
    if isinstance(size, int):
        return size
    match = _SIZE.fullmatch(size)
    if match is None or match[2] not in _UNITS:
        raise ValueError('is no size; write a number of bytes or a text such as "512MiB" or "20GB"')
    return int(float(match[1]) * _UNITS[match[2]])


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`.

    Raises:
        ValueError: the text is no address.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or not port.isascii() or int(port) > 65535:
        raise ValueError('is no address; write "host:port", such as "127.0.0.1:3000" or "[::]:3000"')
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(IPv6Address(host[1:-1])), int(port)
        except AddressValueError:
            raise ValueError('has no IPv6 address in its brackets; write for example "[::]:3000"') from None
    if ":" in host:
        raise ValueError('is no address; an IPv6 host wants brackets, such as "[::]:3000"')
    return host, int(port)


def _check_location(value: str) -> None:
    if value in ("none", "sdk"):
        return
    for prefix in _NAMED:
        if value.startswith(prefix) and len(value) > len(prefix):
            return
    raise ValueError(
        "is no location of a credential (what it says is not shown here, in case it is one); write "
        '"env::NAME", "path::FILE", "path_from_env::NAME", "dynamic::NAME", "sdk" or "none"'
    )


_CHECKS: Mapping[Mark, Callable[[str], object]] = {
    "bytes": parse_bytes,
    "address": parse_address,
    "location": _check_location,
}


def fault_of(mark: Mark, value: object) -> tuple[str, str] | None:
    """Return what is wrong with a marked value and what would be right, or null where nothing is."""
    check = _CHECKS.get(mark)
    if check is None or not isinstance(value, str):
        return None
    try:
        check(value)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        return problem, remedy
    return None
