"""AWS's signature, version 4: which bytes of a request are signed, and how.

Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import SplitResult, quote, urlsplit

from msgspec.structs import replace

from calibrant.config.secret import AwsKeys
from calibrant.types.call import Headers, HttpCall

__all__ = ["signed"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_OURS = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})
_UNSIGNED = frozenset(
    {"baggage", "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "traceparent"}
    | {"tracestate", "trailer", "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id"}
)
"""Fields that somebody on the way may change."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def signed(http: HttpCall, keys: AwsKeys, *, region: str, service: str, now: float) -> HttpCall:
    """Return the request with its signature; one that it already had is replaced.

    Args:
        http: The request, with everything in it that it will be sent with.
        keys: Whose signature.
        region: The region of the service.
        service: The service's name in signatures, such as `bedrock`.
        now: Unix time in seconds. AWS refuses a signature that is more than minutes old.
    """
    stamp = _stamp(int(now))
    body = sha256(http.body).hexdigest()
    headers = [*((name, value) for name, value in http.headers if name not in _OURS), ("x-amz-date", stamp)]
    if keys.session_token is not None:
        headers.append(("x-amz-security-token", keys.session_token.reveal()))
    if service == "s3":
        headers = [*(field for field in headers if field[0] != "x-amz-content-sha256"), ("x-amz-content-sha256", body)]
    url = urlsplit(http.url)
    names, fields = _canonical_headers(url, headers)
    request = "\n".join(
        (http.method, _canonical_path(url.path, service), _canonical_query(url.query), fields, names, body)
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, sha256(request.encode()).hexdigest()))
    signature = hmac.digest(_signing_key(keys, stamp[:8], region, service), text.encode(), "sha256").hex()
    authorization = (
        f"{_ALGORITHM} Credential={keys.access_key_id.reveal()}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return replace(http, headers=(*headers, ("authorization", authorization)))


def _stamp(now: int) -> str:
    """Return an instant as AWS writes it. Done by hand, since a codec has no calendar of its own."""
    days, seconds = divmod(now, 86_400)
    # Counted from 1 March of year 0, leap days come last and every period of 400 years is like the next.
    period, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * period + (month > 9)
    hours, rest = divmod(seconds, 3600)
    return f"{year:04}{(month + 2) % 12 + 1:02}{day + 1:02}T{hours:02}{rest // 60:02}{rest % 60:02}Z"


def _signing_key(keys: AwsKeys, day: str, region: str, service: str) -> bytes:
    key = b"AWS4" + keys.secret_access_key.reveal().encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_headers(url: SplitResult, headers: list[tuple[str, str]]) -> tuple[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in _with_host(url, headers):
        if name not in _UNSIGNED:
            values.setdefault(name, []).append(" ".join(value.split()))
    names = sorted(values)
    return ";".join(names), "".join(f"{name}:{','.join(values[name])}\n" for name in names)


def _with_host(url: SplitResult, headers: list[tuple[str, str]]) -> Headers:
    host = (url.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    if url.port is not None and url.port != _DEFAULT_PORTS.get(url.scheme):
        host = f"{host}:{url.port}"
    return (("host", host), *headers)


def _canonical_path(path: str, service: str) -> str:
    if service == "s3":
        return path or "/"
    # Every service but S3 wants the path, encoded as it is sent, encoded once more, without dots or empty parts.
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    last = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + last, safe="/~")


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted((name, value) for name, _, value in (pair.partition("=") for pair in query.split("&")))
    return "&".join(f"{name}={value}" for name, value in pairs)
