"""What every process of the gateway does alike: take its options, say that it is ready, know when to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from calibrant.app.options import Options

__all__ = ["claim_stdout", "read_options", "say_ready", "stop_signal"]

_PIECE = 2**16


def claim_stdout() -> int:
    """Return a descriptor of the supervisor's end, and let standard output be standard error from now on.

    What a user's hook or a library prints must neither be taken for our word nor fill a pipe that nobody empties.
    """
    ready = os.dup(1)
    os.dup2(2, 1)
    return ready


def read_options() -> Options:
    """Return the options that the supervisor sent as the one line on standard input."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, _PIECE)
        if not piece:
            sys.exit("this process is started by `calibrant gateway`, which tells it what to do")
        line += piece
    return Options.decode(line)


def say_ready(descriptor: int) -> None:
    """Tell the supervisor that this process does its work now. A supervisor that is gone shows on standard input."""
    try:
        os.write(descriptor, b"ready\n")
    except BrokenPipeError:
        return
    finally:
        os.close(descriptor)


def stop_signal() -> asyncio.Event:
    """Return an event that is set by SIGTERM, and when the supervisor is gone."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def parent_gone() -> None:
        if not os.read(0, 64):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, parent_gone)
    return stop
