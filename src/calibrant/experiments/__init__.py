"""Experiments over the record: how the variants of a function compare."""
