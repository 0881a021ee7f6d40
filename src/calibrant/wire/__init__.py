"""Inbound dialects: bytes to `InferenceRequest`, answers and chunks to bytes. Pure."""
