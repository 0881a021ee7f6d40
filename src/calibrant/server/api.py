"""The table of routes: one line each."""

from __future__ import annotations

from calibrant.engine.engine import Engine
from calibrant.server.feedback import feedback_handler
from calibrant.server.host import Host
from calibrant.server.inference import NATIVE, OPENAI_CHAT, inference_handler
from calibrant.server.models import models_handler
from calibrant.server.routes import Route

__all__ = ["routes"]


def routes(engine: Engine, host: Host) -> list[Route]:
    """Return every route that the gateway answers."""
    chat = inference_handler(engine, OPENAI_CHAT)
    models = models_handler(engine)
    return [
        Route("POST", "/inference", inference_handler(engine, NATIVE), "Make one inference."),
        Route("POST", "/openai/v1/chat/completions", chat, "Make one inference, in OpenAI's dialect."),
        Route("GET", "/openai/v1/models", models, "List functions and models."),
        Route("POST", "/feedback", feedback_handler(engine), "Judge an inference or an episode."),
        Route("GET", "/status", host.status, "Version and configuration hash."),
        Route("GET", "/health", host.healthy, "Readiness, and the state of the database."),
        Route("GET", "/metrics", host.metrics, "Prometheus metrics of the host."),
        Route("GET", "/internal/accounting", host.accounting, "What became of every record."),
    ]
