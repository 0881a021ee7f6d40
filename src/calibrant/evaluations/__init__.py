"""Scores of outputs: evaluators, and what the configuration says of them."""
