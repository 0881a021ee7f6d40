"""What a process of the gateway has to know, and where its things stand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from calibrant.base.errors import ConfigError
from calibrant.config.load import load
from calibrant.config.schema import Config

__all__ = ["Options"]

_SQLITE = "sqlite:///"


class Options(msgspec.Struct, frozen=True):
    """Handed from the supervisor to each process it starts, by a pipe: an address may hold a password."""

    data_dir: str
    database: str | None = None
    """`sqlite:///PATH` or `postgresql://...`; null for what the environment says, or `events.db` in the data folder."""
    config: str | None = None
    """A file or glob; null runs with what the gateway has built in."""
    listen_fd: int | None = None
    """The listening socket that a worker inherits."""
    log_format: Literal["pretty", "json"] = "pretty"
    settled: bytes | None = None
    """The configuration itself, once it has been checked; null reads `config`."""

    def settled_on(self, config: Config, listen_fd: int | None = None) -> Options:
        """Return the options of a process that works with this configuration, whatever its files say by then."""
        return msgspec.structs.replace(self, settled=msgspec.msgpack.encode(config), listen_fd=listen_fd)

    def read_config(self, environ: Mapping[str, str]) -> Config:
        """Return the configuration to work with.

        Raises:
            ConfigError: its files have mistakes.
        """
        if self.settled is not None:
            return msgspec.msgpack.decode(self.settled, type=Config)
        return load(self.config, environ=environ)

    def make_data_dir(self) -> None:
        """Make the data folder, for its owner alone, where there is none. Whoever needs it says why that failed."""
        with suppress(OSError):
            Path(self.data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def spool_dir(self) -> Path:
        """Where frames wait for the store."""
        return Path(self.data_dir) / "spool"

    @property
    def run_dir(self) -> Path:
        """Where processes publish their figures."""
        return Path(self.data_dir) / "run"

    @property
    def erased_path(self) -> Path:
        """The file that changes when something was erased, so that workers forget it too."""
        return self.run_dir / "erased"

    @property
    def cache_path(self) -> Path:
        """The file of the response cache."""
        return Path(self.data_dir) / "cache.db"

    @property
    def vectors_path(self) -> Path:
        """The file of the vectors that examples are compared by."""
        return Path(self.data_dir) / "vectors.db"

    @property
    def catalogue_path(self) -> Path:
        """The file of the embedded catalogue: API keys and what was done to them."""
        return Path(self.data_dir) / "catalogue.db"

    @property
    def vault_path(self) -> Path:
        """The file of what is sealed."""
        return self.catalogue_path.with_name("sealed.db")

    @property
    def blobs_dir(self) -> Path:
        """Where files of users are kept, unless the configuration names another place."""
        return (Path(self.data_dir) / "blobs").absolute()

    @property
    def uploads_dir(self) -> Path:
        """Where files of users wait until they are in the bucket."""
        return Path(self.data_dir) / "uploads"

    @property
    def database_path(self) -> Path:
        """The file of the embedded database."""
        if self.database is None:
            return Path(self.data_dir) / "events.db"
        if not self.database.startswith(_SQLITE):
            kind = self.database.partition(":")[0]
            raise ConfigError(
                f"--database: {kind!r} cannot be used here; write sqlite:///PATH or postgresql://..., or leave it out"
            )
        return Path(self.database.removeprefix(_SQLITE))

    def encode(self) -> bytes:
        """Return the line that `decode` reads."""
        return msgspec.json.encode(self) + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Options:
        """Return the options in a line."""
        return msgspec.json.decode(line, type=cls)
