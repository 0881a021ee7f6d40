"""What there is to back up by flags and environment, and what a database server does for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from shlex import quote
from typing import Final

from msgspec import Struct

from calibrant import __version__
from calibrant.app.clickhouse import in_clickhouse
from calibrant.app.erasure_lock import erasure_lock
from calibrant.app.files import blob_folder
from calibrant.app.homes import load_driver, postgres_url
from calibrant.app.options import Options
from calibrant.base.errors import ConfigError
from calibrant.config.environment import settings_from_environ
from calibrant.config.schema import Config
from calibrant.store.backup import BackupSource, back_up
from calibrant.store.backup_manifest import BackupManifest, Home

__all__ = ["BackupMade", "make_backup", "server_restore"]

_TAKES_REST: Final = "this backup has the spool as it was before, so run it now, and not earlier"


class BackupMade(Struct, frozen=True):
    """A backup that was made."""

    path: str
    manifest: BackupManifest
    left: tuple[str, ...] = ()
    """What is not in it, and what sees to that."""


def make_backup(
    options: Options,
    environ: Mapping[str, str],
    config: Config,
    target: Path,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> BackupMade:
    """Copy what stands on this host; a gateway may run meanwhile.

    Raises:
        ConfigError: there is no data folder, or the target cannot be used.
        StoreUnavailable: a database cannot be read now, or an erasure runs.
    """
    data_dir = Path(options.data_dir)
    if not data_dir.is_dir():
        raise ConfigError(f"there is no data folder {data_dir}; name it with --data-dir")
    if target.resolve().is_relative_to(data_dir.resolve()):
        raise ConfigError(f"{target} is in the data folder, and would be lost together with it; name another place")
    postgres, clickhouse = postgres_url(options, environ), in_clickhouse(options, environ)
    home: Home = "clickhouse" if clickhouse else "sqlite" if postgres is None else "postgresql"
    source = BackupSource(
        data_dir=data_dir,
        spool=options.spool_dir,
        home=home,
        record=options.database_path if home == "sqlite" else None,
        catalogue=options.catalogue_path if postgres is None else None,
        files=(options.blobs_dir, options.uploads_dir),
        vault=options.vault_path if postgres is None else None,
    )
    with erasure_lock(options.run_dir):
        made = back_up(source, target, version=__version__, progress=progress)
    left: list[str] = []
    if postgres is not None:
        told = settings_from_environ(environ).sealed_postgres_url
        sealed = postgres if told is None else told.reveal()
        left.append(f"{_postgres_dump(postgres, sealed, target)}\n  ({_TAKES_REST})")
    if clickhouse:
        left.append(
            "the rows of the record are in ClickHouse: BACKUP DATABASE <name> TO Disk('backups', 'calibrant.zip')"
            f"\n  ({_TAKES_REST})"
        )
    folder, storage = blob_folder(config, options)
    if config.object_storage is not None and folder is not None:
        left.append(f"files of users are kept elsewhere, by object_storage ({type(storage).__name__}): copy them there")
    return BackupMade(str(target.resolve()), made, tuple(left))


def server_restore(manifest: BackupManifest) -> str:
    """Return what else there is to do where rows are on a server; empty where they are not."""
    match manifest.home:
        case "postgresql":
            return (
                "restore the rows into PostgreSQL before a gateway starts: "
                "pg_restore --no-owner --dbname=postgresql://USER@HOST:PORT/DATABASE calibrant.dump"
            )
        case "clickhouse":
            return "restore the rows into ClickHouse before a gateway starts: RESTORE DATABASE <name> FROM Disk(...)"
        case "sqlite":
            return ""


def _postgres_dump(url: str, sealed_url: str, target: Path) -> str:
    """Return what takes rows, catalogue and vault: one dump, so that all three are of one instant."""
    driver = load_driver("postgres_open")
    with closing(driver.open_database(url)) as database, closing(driver.open_vault(sealed_url)) as vault:
        address, place, sealed = database.settings.address, database.place, vault.settings.address
        apart = vault.place != place
    where = target.with_name(f"{target.name}.dump")
    asks = "it asks for the password, or reads PGPASSWORD"
    if apart:
        beside = target.with_name(f"{target.name}.sealed.dump")
        return (
            f"rows and catalogue are in PostgreSQL, and what is sealed is in another database; {asks}. Let nobody "
            f"seal, move, reveal, confirm or import between the two:\n  {_dump(('calibrant',), where, address)}"
            f"\n  {_dump(('calibrant_sealed',), beside, sealed)}"
        )
    who = "" if sealed == address else "; name a user in it that may read both schemas, which the gateway's may not"
    return (
        f"rows, catalogue and what is sealed are in PostgreSQL; {asks}{who}: "
        f"{_dump(('calibrant', 'calibrant_sealed'), where, address)}"
    )


def _dump(schemas: tuple[str, ...], where: Path, address: str) -> str:
    wanted = " ".join(f"--schema={each}" for each in schemas)
    return f"pg_dump {wanted} --format=custom --file={quote(str(where))} --dbname={quote(address)}"
