"""Starts the processes of one host, keeps them alive, reloads them, and stops them in order.

It holds the listening socket, so that no connection is lost while workers come and go. It answers no request.

One loop, which never waits for one process alone: it is woken when a process has become ready or has ended, when a
signal came and when something takes too long; then it looks at everything and does what is due. The beginning is a
reload with nothing before it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from calibrant.app.access import notice
from calibrant.app.backoff import Backoff
from calibrant.app.child import Child, Kind
from calibrant.app.options import Options
from calibrant.base.errors import ConfigError, StoreUnavailable
from calibrant.config.schema import Config
from calibrant.telemetry.metrics import forget_published

__all__ = ["Supervisor"]

_log = logging.getLogger(__name__)
_GRACE_S = 10.0
"""Seconds beyond its own drain time that a process gets before it is killed."""
_PORT_S = 3.0
"""How long the workers of a supervisor that was killed may hold on to the port."""
_PORT_TRY_S = 0.1


@dataclass(slots=True)
class Supervisor:
    """The processes of one host."""

    options: Options
    config: Config
    load: Callable[[], Config]
    """Reads the configuration again, for a reload."""
    with_recorder: bool = True
    on_ready: Callable[[str, int], None] | None = None
    """Called once, with the address that is being served."""
    _workers: list[Child] = field(default_factory=list[Child])
    _fresh: list[Child] = field(default_factory=list[Child])
    """Workers with the next configuration, until all of them are ready."""
    _retired: list[Child] = field(default_factory=list[Child])
    """Those that were told to end."""
    _recorder: Child | None = None
    _next: Config | None = None
    _serving: bool = False
    _stopping: bool = False
    _reload_asked: bool = False
    _status: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _backoff: dict[Kind, Backoff] = field(default_factory=lambda: {"worker": Backoff(), "recorder": Backoff()})

    async def run(self) -> int:
        """Serve until a signal says stop; return the exit status.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_stop)
        loop.add_signal_handler(signal.SIGHUP, self._ask_reload)
        listening = await self._listen()
        if listening is None:
            return 0
        # With the port ours, no other gateway runs on this folder.
        forget_published(self.options.run_dir)
        try:
            await self._prepare(self.config, listening)
            while not self._stopping:
                self._changed.clear()
                await self._turn(listening)
                await self._wait(self._children())
        finally:
            listening.close()
            await self._stop_all()
        return self._status

    async def _turn(self, listening: socket.socket) -> None:
        for child in self._children():
            child.kill_if_late()
        self._bury()
        if any(not child.alive for child in self._fresh):
            self._refuse("a worker did not start with it")
        elif self._fresh and all(child.ready for child in self._fresh):
            self._adopt(listening)
        if self._reload_asked and not self._fresh:
            self._reload_asked = False
            await self._reload(listening)
        await self._fill(listening)

    async def _wait(self, children: Sequence[Child]) -> None:
        """Wait until something has changed or is due."""
        now = monotonic()
        due = [child.deadline for child in children if child.deadline is not None]
        due += [backoff.until for backoff in self._backoff.values() if backoff.until > now]
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(due) - now) if due else None):
                await self._changed.wait()

    def _bury(self) -> None:
        """Forget those that have ended."""
        self._retired = [child for child in self._retired if child.alive]
        for child in self._wanted():
            if child.alive:
                continue
            _log.error("%s ended with status %s; starting another", child, child.status)
            if child.died_young:
                self._backoff[child.kind].note(monotonic())
        self._workers = [child for child in self._workers if child.alive]
        if self._recorder is not None and not self._recorder.alive:
            self._recorder = None

    async def _fill(self, listening: socket.socket) -> None:
        """Start what is missing."""
        one_leaves = any(child.kind == "recorder" for child in self._retired)
        if self.with_recorder and self._recorder is None and not one_leaves and not self._stopping:
            self._recorder = await self._another("recorder", self._options(self.config))
        while self._serving and not self._stopping and len(self._workers) < self.config.gateway.workers:
            worker = await self._another("worker", self._options(self.config, listening))
            if worker is None:
                return
            self._workers.append(worker)

    async def _another(self, kind: Kind, options: Options) -> Child | None:
        backoff = self._backoff[kind]
        if monotonic() < backoff.until:
            return None
        try:
            return await Child.start(kind, options, self._changed.set)
        except OSError as error:
            _log.error("no %s can be started now, it is tried again: %s", kind, error.strerror)
            backoff.postpone(monotonic())
            return None

    async def _reload(self, listening: socket.socket) -> None:
        try:
            config = self.load()
        except ConfigError as error:
            _log.error("the new configuration is refused, the old one stays:\n%s", error.message)
            return
        now, new = self.config.gateway, config.gateway
        if (new.host, new.port) != (now.host, now.port):
            _log.warning("%s:%d goes on being served; another address takes a restart", now.host, now.port)
        await self._prepare(config, listening)

    async def _prepare(self, config: Config, listening: socket.socket) -> None:
        """Start the workers of the next configuration beside those of the present one."""
        self._next = config
        try:
            for _ in range(config.gateway.workers):
                self._fresh.append(await Child.start("worker", self._options(config, listening), self._changed.set))
        except OSError as error:
            self._refuse(f"no worker can be started: {error.strerror}")

    def _refuse(self, why: str) -> None:
        if self._serving:
            _log.error("the new configuration is refused, the old one stays: %s", why)
        else:
            _log.error("the gateway does not start: %s; see above", why)
            self._status = 1
            # Nobody else may have anything to say any more, so it wakes itself.
            self._ask_stop()
        self._retire(self._fresh, 1.0)
        self._fresh = []

    def _adopt(self, listening: socket.socket) -> None:
        """Let the workers that have become ready take over."""
        old, drain_s = self._workers, self.config.gateway.drain_timeout_s
        self._workers, self._fresh = self._fresh, []
        self.config = self._next or self.config
        self._retire(old, drain_s + _GRACE_S)
        if self._serving:
            if self._recorder is not None:
                # Another one, with the new configuration, comes when this one has gone.
                self._retire([self._recorder], _GRACE_S)
                self._recorder = None
            _log.info("reloaded: configuration %s", self.config.hash[:12])
            self._warn_of_access(listening.getsockname()[0])
            return
        self._serving = True
        if self.on_ready is not None:
            host, port = listening.getsockname()[:2]
            self.on_ready(host, port)

    def _warn_of_access(self, host: str) -> None:
        try:
            said = notice(self.options, self.config, host)
        except StoreUnavailable as error:
            said = error.message
        if said is not None:
            _log.warning("%s", said)

    def _retire(self, children: Sequence[Child], grace_s: float) -> None:
        for child in children:
            child.retire(grace_s)
        self._retired += children

    async def _stop_all(self) -> None:
        grace_s = self.config.gateway.drain_timeout_s + _GRACE_S
        self._retire([*self._workers, *self._fresh], grace_s)
        await self._ended([child for child in self._retired if child.kind == "worker"])
        if self._recorder is not None:
            # Last, so that it stores what the workers flushed.
            self._retire([self._recorder], grace_s)
        await self._ended(self._retired)

    async def _ended(self, children: Sequence[Child]) -> None:
        while alive := [child for child in children if child.alive]:
            self._changed.clear()
            for child in alive:
                child.kill_if_late()
            await self._wait(alive)

    def _wanted(self) -> list[Child]:
        return [*self._workers, *([] if self._recorder is None else [self._recorder])]

    def _children(self) -> list[Child]:
        return [*self._wanted(), *self._fresh, *self._retired]

    def _options(self, config: Config, listening: socket.socket | None = None) -> Options:
        return self.options.settled_on(config, None if listening is None else listening.fileno())

    def _ask_stop(self) -> None:
        self._stopping = True
        self._changed.set()

    def _ask_reload(self) -> None:
        self._reload_asked = True
        self._changed.set()

    async def _listen(self) -> socket.socket | None:
        """Return the listening socket; null when told to stop meanwhile.

        Raises:
            ConfigError: the address cannot be had.
        """
        host, port = self.config.gateway.host, self.config.gateway.port
        patience = monotonic() + _PORT_S
        while not self._stopping:
            try:
                return _bind(host, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or monotonic() >= patience:
                    raise ConfigError(
                        f"cannot listen on {host}:{port}: {error.strerror}; choose another with --host and --port"
                    ) from None
            # After a kill of the supervisor alone, its workers may be about to let go of it.
            await asyncio.sleep(_PORT_TRY_S)
        return None


def _bind(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(4096)
    except OSError:
        listening.close()
        raise
    listening.set_inheritable(True)
    return listening
