"""From an input and a variant to the words that a model reads. Pure."""
