"""What every process of the gateway does alike: take its options, say that it is ready, know when to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from calibrant.app.options import Options

__all__ = ["read_options", "say_ready", "stop_signal"]


def read_options() -> Options:
    """Return the options that the supervisor sent as the first line of standard input."""
    line = b""
    # Byte by byte: what comes after the line is not for a buffer to swallow.
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            sys.exit("this process is started by `calibrant gateway`, which tells it what to do")
        line += piece
    return Options.decode(line)


def say_ready() -> None:
    """Tell the supervisor that this process does its work now."""
    os.write(1, b"ready\n")


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
