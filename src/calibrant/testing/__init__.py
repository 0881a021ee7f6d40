"""For tests and benches: a fake provider and what it may do wrong. May import anything; only tests and commands import it."""
