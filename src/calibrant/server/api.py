"""The table of routes: one line each."""

from __future__ import annotations

from calibrant.engine.engine import Engine
from calibrant.server.feedback import feedback_handler
from calibrant.server.host import Host
from calibrant.server.http import Handler
from calibrant.server.inference import MESSAGES, NATIVE, OPENAI_CHAT, count_handler, inference_handler
from calibrant.server.models import models_handler
from calibrant.server.routes import Route

__all__ = ["routes"]


def routes(engine: Engine, host: Host) -> list[Route]:
    """Return every route that the gateway answers."""
    return [
        Route("POST", "/inference", inference_handler(engine, NATIVE), "Make one inference."),
        *_openai("POST", "/chat/completions", inference_handler(engine, OPENAI_CHAT), "Make one inference."),
        *_openai("GET", "/models", models_handler(engine), "List functions and models."),
        Route("POST", "/v1/messages", inference_handler(engine, MESSAGES), _MESSAGES, "anthropic"),
        Route("POST", "/v1/messages/count_tokens", count_handler(engine), "Count a request's tokens.", "anthropic"),
        Route("POST", "/feedback", feedback_handler(engine), "Judge an inference or an episode."),
        Route("GET", "/status", host.status, "Version and configuration hash."),
        Route("GET", "/health", host.healthy, "Readiness, and the state of the database."),
        Route("GET", "/metrics", host.metrics, "Prometheus metrics of the host."),
        Route("GET", "/internal/accounting", host.accounting, "What became of every record."),
    ]


_MESSAGES = "Make one inference, in Anthropic's dialect."


def _openai(method: str, path: str, handler: Handler, summary: str) -> tuple[Route, Route]:
    """Return a route of OpenAI's dialect where TensorZero has it, and where OpenAI's clients look for it."""
    summary = f"{summary.removesuffix('.')}, in OpenAI's dialect."
    return (
        Route(method, f"/openai/v1{path}", handler, summary, "openai"),
        Route(method, f"/v1{path}", handler, summary, "openai"),
    )
