"""Starts the processes of one host, keeps them alive, reloads them, and stops them in order.

It holds the listening socket, so that no connection is lost while workers come and go. It answers no request.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from calibrant.app.options import Options
from calibrant.base.errors import ConfigError
from calibrant.config.schema import Config

__all__ = ["Supervisor"]

_log = logging.getLogger(__name__)
_READY_S = 30.0
_RESTART_S = 0.2
_RESTART_MAX_S = 5.0
_GRACE_S = 10.0
"""Seconds beyond its own drain time that a process gets before it is killed."""


@dataclass(slots=True)
class _Child:
    name: str
    process: asyncio.subprocess.Process
    started: float
    retiring: bool = False


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
    _workers: list[_Child] = field(default_factory=list[_Child])
    _recorder: _Child | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _reloading: asyncio.Event = field(default_factory=asyncio.Event)
    _failures: int = 0

    async def run(self) -> int:
        """Serve until a signal says stop; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reloading.set)
        listening = _listen(self.config.gateway.host, self.config.gateway.port)
        host, port = listening.getsockname()[:2]
        try:
            if not await self._start_all(listening):
                return 1
            if self.on_ready is not None:
                self.on_ready(host, port)
            while not self._stopping.is_set():
                await self._turn(listening)
        finally:
            listening.close()
            await self._stop_all()
        return 0

    async def _start_all(self, listening: socket.socket) -> bool:
        if self.with_recorder:
            self._recorder = await self._spawn("recorder", self.options)
        for _ in range(self.config.gateway.workers):
            self._workers.append(await self._spawn_worker(listening))
        if await self._all_ready(self._workers):
            return True
        _log.error("a worker did not start; see its message above")
        return False

    async def _turn(self, listening: socket.socket) -> None:
        """Wait until something happens, and see to it."""
        waits: list[asyncio.Task[object]] = [
            asyncio.ensure_future(self._stopping.wait()),
            asyncio.ensure_future(self._reloading.wait()),
            *(asyncio.ensure_future(child.process.wait()) for child in self._children()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._stopping.is_set():
            return
        if self._reloading.is_set():
            self._reloading.clear()
            await self._reload(listening)
        await self._replace_dead(listening)

    def _children(self) -> list[_Child]:
        return [*self._workers, *([self._recorder] if self._recorder is not None else [])]

    async def _replace_dead(self, listening: socket.socket) -> None:
        dead = [child for child in self._children() if child.process.returncode is not None]
        self._workers = [child for child in self._workers if child.process.returncode is None]
        for child in dead:
            if child.retiring:
                continue
            status = child.process.returncode
            _log.error("%s (pid %d) ended with status %s; starting another", child.name, child.process.pid, status)
            await self._pause(child)
            if child is self._recorder:
                self._recorder = await self._spawn("recorder", self.options)
            else:
                self._workers.append(await self._spawn_worker(listening))

    async def _pause(self, child: _Child) -> None:
        # A process that dies young again and again must not turn into a fork storm.
        self._failures = self._failures + 1 if monotonic() - child.started < 10 else 0
        if self._failures > 1:
            await asyncio.sleep(min(_RESTART_S * 2**self._failures, _RESTART_MAX_S))

    async def _reload(self, listening: socket.socket) -> None:
        try:
            config = self.load()
        except ConfigError as error:
            _log.error("the new configuration is refused, the old one stays:\n%s", error.message)
            return
        fresh = [await self._spawn_worker(listening) for _ in range(config.gateway.workers)]
        if not await self._all_ready(fresh):
            _log.error("the new configuration is refused, the old one stays: a worker did not start with it")
            await self._end(fresh, grace=1.0)
            return
        old, self._workers, self.config = self._workers, fresh, config
        if self._recorder is not None:
            recorder, self._recorder = self._recorder, None
            await self._end_recorder(recorder, grace=_GRACE_S)
            self._recorder = await self._spawn("recorder", self.options)
        for child in old:
            child.retiring = True
            _terminate(child)
        self._workers += old
        _log.info("reloaded: configuration %s", config.hash[:12])

    async def _spawn_worker(self, listening: socket.socket) -> _Child:
        fd = listening.fileno()
        return await self._spawn("worker", msgspec.structs.replace(self.options, listen_fd=fd), fd)

    async def _spawn(self, name: str, options: Options, *fds: int) -> _Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"calibrant.app.{name}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=fds,
            # Ctrl-C is for the supervisor; it stops the others in order.
            start_new_session=True,
        )
        if process.stdin is not None:
            process.stdin.write(options.encode())
        return _Child(name, process, monotonic())

    async def _all_ready(self, children: list[_Child]) -> bool:
        try:
            async with asyncio.timeout(_READY_S):
                for child in children:
                    if child.process.stdout is None or await child.process.stdout.readline() != b"ready\n":
                        return False
        except TimeoutError:
            return False
        return True

    async def _stop_all(self) -> None:
        drain = self.config.gateway.drain_timeout_s
        await self._end(self._workers, grace=drain + _GRACE_S)
        if self._recorder is not None:
            # Last, so that it stores what the workers flushed.
            await self._end_recorder(self._recorder, grace=_GRACE_S + drain)

    async def _end_recorder(self, recorder: _Child, *, grace: float) -> None:
        # Before it is ready it does not know the signal, and would die of it with the spool undrained.
        await self._all_ready([recorder])
        await self._end([recorder], grace=grace)

    async def _end(self, children: list[_Child], *, grace: float) -> None:
        for child in children:
            child.retiring = True
            _terminate(child)
        try:
            async with asyncio.timeout(grace):
                for child in children:
                    await child.process.wait()
        except TimeoutError:
            for child in children:
                if child.process.returncode is None:
                    _log.error("%s (pid %d) did not stop in time and is killed", child.name, child.process.pid)
                    child.process.kill()
                    await child.process.wait()


def _terminate(child: _Child) -> None:
    if child.process.returncode is None:
        child.process.terminate()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --host and --port"
        ) from None
    listening.listen(4096)
    listening.set_inheritable(True)
    return listening
