"""Handler of the feedback route."""

from __future__ import annotations

import msgspec

from calibrant.engine.engine import Engine
from calibrant.engine.feedback import give_feedback
from calibrant.server.http import Answer, Handler, HttpRequest
from calibrant.server.inference import caller_of
from calibrant.wire import native

__all__ = ["feedback_handler"]


def feedback_handler(engine: Engine) -> Handler:
    """Return the handler of `POST /feedback`."""

    async def handle(http: HttpRequest) -> Answer:
        feedback = native.decode_feedback(http.body, now_ms=engine.clock.wall_ms())
        feedback_id = await give_feedback(engine, feedback, caller_of(http, "feedback"))
        return Answer(200, msgspec.json.encode({"feedback_id": feedback_id}))

    return handle
