"""Checks of the configuration and of the credentials that it wants."""

from __future__ import annotations

from collections.abc import Iterator

from calibrant.app.doctor.finding import Finding, Subject, fine, warning, wrong
from calibrant.config.secret import Secrets
from calibrant.config.setting import settle, with_region
from calibrant.engine.compiled import Compiler

__all__ = ["check_configuration", "check_credentials"]


def check_configuration(subject: Subject) -> Iterator[Finding]:
    """Check that it loads and compiles; yield its warnings."""
    if subject.fault:
        yield wrong(
            subject.fault, "mend it; `calibrant check` says every mistake. The rest is as without configuration"
        )
        return
    config = subject.config
    settled, problems = settle(config, subject.environ)
    for problem in problems:
        yield wrong(f"{problem.path or problem.file}: {problem.problem}", problem.remedy)
    if not problems:
        Compiler(with_region(settled, "unasked"))
        yield fine(
            f"{subject.options.config or 'the built-in one'}: {len(config.functions)} functions, "
            f"{len(config.models)} models; hash {config.hash[:12]}"
        )
    for text in config.warnings:
        yield warning(text, "remove the key, or leave it: nothing depends on it")


def check_credentials(subject: Subject) -> Iterator[Finding]:
    """Check that each configured provider's credential is there; no server is asked, and none is shown."""
    settled, _ = settle(subject.config, subject.environ)
    secrets, problems = Secrets.resolve(settled, subject.environ)
    for problem in problems:
        yield wrong(f"{problem.path}: {problem.problem}", problem.remedy)
    providers = sum(1 for _ in settled.providers())
    if not problems:
        later = f"; {len(secrets.sources)} are fetched when the gateway starts" if secrets.sources else ""
        yield fine(f"{providers} configured providers have what they need{later}")
