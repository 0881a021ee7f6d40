"""The straight line. Read `infer.py` first; it names every other file in the order in which a request meets it."""
