"""For tests and benches: a fake provider and what it may do wrong.

May import anything; only tests, benches and commands import it.
"""
