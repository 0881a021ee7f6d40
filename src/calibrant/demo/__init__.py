"""The demonstration: small real models behind an OpenAI-compatible server, and a run through the gateway."""
