"""Checks of what is sealed: who may read it, whether all of it is there, and whether the ledger is whole."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from contextlib import closing
from time import monotonic
from typing import Final, TypeVar

from calibrant.app.doctor.finding import Finding, Subject, fine, warning, wrong
from calibrant.app.homes import load_driver, open_catalogue, postgres_url
from calibrant.app.migration import state_of
from calibrant.datasets import holdout
from calibrant.store.catalogue import Catalogue, Reading
from calibrant.store.portable import pages
from calibrant.types.split import LedgerEntry

__all__ = ["check_sealed"]

_OTHERS: Final = 0o077
_PAGE: Final = 400
_LOOKED_S: Final = 10.0
"""How long each of the two long looks may take; what they have seen by then is said."""

T = TypeVar("T")


def check_sealed(subject: Subject) -> Iterator[Finding]:
    """Check who may read what is sealed, that every sealed content is in the vault, and that the ledger is a chain."""
    state = state_of(subject.options, subject.environ)
    if not state.current_catalogue:
        yield fine("there is no catalogue of this version, and nothing to look at before there is")
        return
    url = postgres_url(subject.options, subject.environ)
    yield from _file_is_closed(subject) if url is None else _role_is_shut_out(url)
    if not state.current_vault:
        newer = state.vault > state.wanted_vault
        yield wrong(
            f"what is sealed has schema {state.vault or 'none'}, this program wants {state.wanted_vault}",
            "run the newer version of Calibrant that migrated it"
            if newer
            else "run `calibrant migrate` with CALIBRANT_SEALED_POSTGRES_URL set as it is for the gateway",
        )
        return
    with closing(open_catalogue(subject.options, subject.environ, subject.config)) as catalogue:
        yield _contents_are_there(catalogue)
        with catalogue.reading() as view:
            yield _ledger_is_whole(view)


def _file_is_closed(subject: Subject) -> Iterator[Finding]:
    path = subject.options.vault_path
    if path.is_file() and path.stat().st_mode & _OTHERS:
        yield wrong(f"{path} is open to others ({stat.filemode(path.stat().st_mode)})", f"chmod 600 {path}")


def _role_is_shut_out(url: str) -> Iterator[Finding]:
    role = load_driver("postgres_open").reader_of_vault(url)
    if role is None:
        yield fine("the gateway's role may not read what is sealed")
    else:
        yield warning(
            f"the gateway's role {role!r} may read what is sealed, and so may everybody who has its password",
            "give the schema calibrant_sealed a role of its own, and the gateway its address in "
            "CALIBRANT_SEALED_POSTGRES_URL (docs/operations.md, What is sealed)",
        )


def _contents_are_there(catalogue: Catalogue) -> Finding:
    """Count the sealed contents that the catalogue knows and those of them that the vault has."""
    known = missing = 0
    clock = _Until(_LOOKED_S)
    for hashes in clock.lasts(_sealed_contents(catalogue)):
        gone = hashes - catalogue.vault.present(sorted(hashes))
        if gone:
            # Those that were unsealed since they were found are no loss.
            with catalogue.reading() as view:
                gone = {each.content_hash for each in view.sealed_with(sorted(gone))}
        known += len(hashes)
        missing += len(gone)
    far = " of those that were looked at in time" if clock.over else ""
    if missing:
        return wrong(
            f"{missing} of {known} sealed contents{far} are not in the vault",
            "restore the vault from the backup that the catalogue is of",
        )
    return fine(f"{known} sealed contents{far}, and all are in the vault")


def _sealed_contents(catalogue: Catalogue) -> Iterator[frozenset[str]]:
    with catalogue.reading() as view:
        names = tuple(view.split_datasets())
    for name in names:
        after = ""
        while True:
            with catalogue.reading() as view:
                groups = view.sealed_groups(name, after=after, limit=_PAGE)
                hashes = view.contents_of_groups(name, [each.group_key for each in groups])
            if not groups:
                break
            for some in pages(hashes, _PAGE):
                yield frozenset(some)
            after = groups[-1].group_key


def _ledger_is_whole(view: Reading) -> Finding:
    clock = _Until(_LOOKED_S)
    lines = 0

    def counted() -> Iterator[LedgerEntry]:
        nonlocal lines
        for each in clock.lasts(holdout.ledger_lines(view)):
            lines += 1
            yield each

    broken = holdout.broken_at(counted())
    if broken is not None:
        return wrong(
            f"line {broken} of the ledger of what is sealed was changed or is missing",
            "compare it with a backup (`ledger` of the catalogue): what was confirmed since then is not proven",
        )
    far = ", as far as it was looked at in time" if clock.over else ""
    return fine(f"the ledger has {lines} lines, each of which follows from the one before{far}")


class _Until:
    """Lets an iteration go on for a while; whoever is checked may have more than a person waits for."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._deadline = monotonic() + seconds

    def lasts(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items until the time is over."""
        for each in items:
            if monotonic() > self._deadline:
                self.over = True
                return
            yield each
