"""What each provider's codec costs: encode plus decode of a plain call, and a chunk of a stream."""
