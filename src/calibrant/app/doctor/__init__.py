"""What `calibrant doctor` looks at: one table of checks, each a function of a file beside this one.

A check gets the `Subject` and yields findings; it changes nothing and may run beside a gateway. What it raises becomes
a finding of its own. To add one, write it and give it a row in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from calibrant.app.doctor.access import check_keys, check_port
from calibrant.app.doctor.configuration import check_configuration, check_credentials
from calibrant.app.doctor.finding import Finding, Subject, wrong
from calibrant.app.doctor.folder import check_disk, check_files, check_permissions
from calibrant.app.doctor.record import check_catalogue, check_clock, check_database
from calibrant.app.doctor.sealed import check_sealed
from calibrant.app.doctor.spool import check_quarantine, check_recorder, check_spool
from calibrant.base.errors import CalibrantError

__all__ = ["CHECKS", "Check", "Finding", "Subject", "examine"]

Check = Callable[[Subject], Iterable[Finding]]

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("configuration", check_configuration),
    ("credentials", check_credentials),
    ("database", check_database),
    ("catalogue", check_catalogue),
    ("sealed", check_sealed),
    ("clock", check_clock),
    ("disk", check_disk),
    ("spool", check_spool),
    ("recorder", check_recorder),
    ("quarantine", check_quarantine),
    ("permissions", check_permissions),
    ("keys", check_keys),
    ("files", check_files),
    ("port", check_port),
)
"""Each check after its name, in the order in which they are shown."""


def examine(subject: Subject, checks: Iterable[tuple[str, Check]] = CHECKS) -> Iterator[Finding]:
    """Yield what each check finds."""
    for name, check in checks:
        try:
            for finding in check(subject):
                yield finding.named(name)
        except CalibrantError as error:
            yield wrong(error.message, "mend that first; this could not be looked at").named(name)
        except OSError as error:
            yield wrong(str(error), "make it readable for the user that the gateway runs as").named(name)
