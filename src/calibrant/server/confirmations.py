"""Handlers of confirmations. A confirmation runs in a process of its own: a worker never holds what is sealed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from calibrant.base.clock import Clock
from calibrant.base.errors import Forbidden, InternalError, NotFound
from calibrant.evaluations.running import confirmations_now
from calibrant.evaluations.status import confirmation_named, holdout_of
from calibrant.server.datasets import name_of
from calibrant.server.http import Answer, HttpRequest
from calibrant.store.catalogue import Catalogue
from calibrant.types.confirmation import Confirmation, Proposal
from calibrant.types.datapoint import Datapoint
from calibrant.wire.confirmations import (
    decode_confirmation,
    encode_confirmation,
    encode_confirmations,
    encode_holdout,
)
from calibrant.wire.datapoint_answer import encode_datapoints
from calibrant.wire.datapoints import decode_ids

__all__ = ["Confirm", "ConfirmationDesk", "Reveal"]

Confirm = Callable[[Proposal, str, str], Awaitable[Confirmation]]
"""Confirms a proposal by the evaluator that the second names; the third is who asks."""
Reveal = Callable[[str, Sequence[str], str], tuple[Datapoint, ...]]
"""Shows datapoints of a dataset by id; the third is who asks. Blocks."""


@dataclass(frozen=True, slots=True)
class ConfirmationDesk:
    """What the handlers of this file work on."""

    catalogue: Catalogue | None
    clock: Clock
    confirm: Confirm | None = None
    reveal: Reveal | None = None

    async def run(self, http: HttpRequest) -> Answer:
        """`POST /v1/confirmations`; answers when it is over, which takes as long as the models do."""
        proposal, evaluator = decode_confirmation(http.body)
        if not _sees(http, proposal.function_name):
            raise Forbidden(f"this API key may not ask the function {proposal.function_name!r}", reason="function")
        if self.confirm is None:
            raise InternalError("this gateway was put together without confirmations")
        actor = "" if http.principal is None else http.principal.public_id
        return Answer(200, encode_confirmation(await self.confirm(proposal, evaluator, actor)))

    async def show_sealed(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/reveal`: shows datapoints, and takes the sealed ones out of the seal."""
        ids, reveal = decode_ids(http.body), self.reveal
        if reveal is None:
            raise InternalError("this gateway was put together without a vault")
        actor = "" if http.principal is None else http.principal.public_id
        name = name_of(http)
        return Answer(200, encode_datapoints(await asyncio.to_thread(reveal, name, ids, actor)))

    async def list(self, http: HttpRequest) -> Answer:
        """`GET /v1/confirmations`."""

        def act() -> bytes:
            with self._opened().reading() as view:
                found = confirmations_now(view, self.clock.wall_ms())
            return encode_confirmations([each for each in reversed(found) if _sees(http, each.function_name)])

        return Answer(200, await asyncio.to_thread(act))

    async def show(self, http: HttpRequest) -> Answer:
        """`GET /v1/confirmations/{confirmation_id}`."""

        def act() -> bytes:
            with self._opened().reading() as view:
                found = confirmation_named(view, http.params["confirmation_id"], self.clock.wall_ms())
            if not _sees(http, found.function_name):
                raise NotFound(f"there is no confirmation {found.id}")
            return encode_confirmation(found)

        return Answer(200, await asyncio.to_thread(act))

    async def holdout(self, http: HttpRequest) -> Answer:
        """`GET /v1/datasets/{dataset_name}/holdout`."""

        def act() -> bytes:
            with self._opened().reading() as view:
                return encode_holdout(holdout_of(view, name_of(http), self.clock.wall_ms()))

        return Answer(200, await asyncio.to_thread(act))

    def _opened(self) -> Catalogue:
        if self.catalogue is None:
            raise InternalError("this gateway was put together without a catalogue")
        return self.catalogue


def _sees(http: HttpRequest, function_name: str) -> bool:
    grants = None if http.principal is None else http.principal.grants
    return grants is None or grants.function(function_name)
