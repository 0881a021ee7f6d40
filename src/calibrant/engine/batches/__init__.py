"""Batches of inferences: accepted (`submit.py`), told of (`look.py`), made in the background (`runner.py`).

Those that go to a provider's own batch interface are handed over and fetched by `native.py`.
"""
