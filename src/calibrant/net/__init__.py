"""The way out: an HTTP/1.1 client of our own, because the hot path lives or dies by it."""
