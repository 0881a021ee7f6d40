"""Business questions over the record, written once above the stores: usage, latency, how variants did over time."""
