"""What AWS's services say alike: errors. Names of fields differ in their first letter from service to service.

Source: smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html, docs.aws.amazon.com/sagemaker/latest/APIReference/
API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

__all__ = ["AwsError", "CoralOutput"]


class CoralOutput(Struct, frozen=True):
    """What AWS answers where it knows no such operation, and that with status 200."""

    kind: Any = field(default=None, name="__type")


class AwsError(Struct, frozen=True):
    """An error. Its type stands in a header more often than here."""

    message: Any = None
    Message: Any = None
    kind: Any = field(default=None, name="__type")
    originalStatusCode: Any = None  # noqa: N815 - the wire's own name
    OriginalStatusCode: Any = None
    """What the model's own server had answered."""
    Output: CoralOutput | None = None
