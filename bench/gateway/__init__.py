"""The gateway against its peers: one upstream, one load generator, the same requests, in turn."""
