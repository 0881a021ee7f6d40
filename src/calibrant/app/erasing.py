"""Erasure in a process of its own, for a worker: it loads the SQL toolkit and takes its time.

The process gets its job as one line on standard input, and answers with one on standard output. It goes on when the
worker that started it ends.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import msgspec

from calibrant.app.erasure import erase
from calibrant.app.erasure_job import Job, Outcome
from calibrant.app.process import claim_stdout
from calibrant.base.errors import CalibrantError
from calibrant.config.load import read_environment
from calibrant.telemetry.log import configure

__all__ = ["main"]


def main() -> None:
    """Do one job."""
    answer = claim_stdout()
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    configure(job.options.log_format)
    environ = read_environment()
    try:
        config = job.options.read_config(environ)
        told = Outcome(erase(job.options, environ, config, job.whose, plan=job.plan, actor=job.actor))
    except CalibrantError as error:
        told = Outcome(None, error.code, error.message)
    # Whoever asked may be gone; the log of the catalogue has it.
    with suppress(BrokenPipeError), os.fdopen(answer, "wb") as stream:
        stream.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main()
