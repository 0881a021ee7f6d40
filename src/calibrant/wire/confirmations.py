"""Confirmations on the wire."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from calibrant.apischema.confirmations import ConfirmationBody, ConfirmationPage, HoldoutShown
from calibrant.types.confirmation import Confirmation, Proposal
from calibrant.wire.body import check_names, parse, stored_name

__all__ = ["decode_confirmation", "encode_confirmation", "encode_confirmations", "encode_holdout"]

_body = msgspec.json.Decoder(ConfirmationBody)
_encode = msgspec.json.Encoder().encode


def decode_confirmation(body: bytes) -> tuple[Proposal, str]:
    """Return what is to be confirmed, and by which evaluator.

    Raises:
        InvalidRequest: it is malformed.
    """
    asked = parse(_body, body)
    check_names([("function_name", asked.function_name)])
    proposal = Proposal(
        dataset_name=asked.dataset_name,
        function_name=stored_name(asked.function_name),
        incumbent=asked.incumbent,
        candidate=asked.candidate,
        claimed_gain=asked.claimed_gain,
        spread=asked.spread,
        margin=asked.margin or 0.0,
        alpha=asked.alpha,
        items=asked.items,
        concurrency=asked.concurrency or 4,
    )
    return proposal, asked.evaluator


def encode_confirmation(done: Confirmation) -> bytes:
    """Return a confirmation."""
    return _encode(done)


def encode_confirmations(found: Sequence[Confirmation]) -> bytes:
    """Return confirmations."""
    return _encode(ConfirmationPage(list(found)))


def encode_holdout(shown: HoldoutShown) -> bytes:
    """Return what is known of a dataset's seal."""
    return _encode(shown)
