"""Decisions about where a request goes, as pure functions: time and chance are parameters."""
