"""The dialects of the model providers: from a `ModelCall` to HTTP, from HTTP to a `Reply`. Pure.

Read `base.py` for the interface, `openai_chat.py` for the one dialect that is built, `compatible.py` for how
its vendors differ, `catalog.py` for where the rest of the house gets an adapter.
"""
