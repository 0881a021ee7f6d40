"""The cases of every dialect."""

from __future__ import annotations

from typing import TypeVar

from tests.contract.providers.cases import AnyCase, Case
from tests.contract.providers.dialects import (
    anthropic,
    bedrock,
    gemini,
    openai_chat,
    openai_responses,
    relay,
    sagemaker,
    tools,
)

C = TypeVar("C", bound=Case)

CASES: tuple[AnyCase, ...] = (
    *anthropic.CASES,
    *bedrock.CASES,
    *gemini.CASES,
    *openai_chat.CASES,
    *openai_responses.CASES,
    *relay.CASES,
    *sagemaker.CASES,
    *tools.CASES,
)


def of(kind: type[C]) -> list[C]:
    """Return the cases of this class."""
    return [case for case in CASES if isinstance(case, kind)]
