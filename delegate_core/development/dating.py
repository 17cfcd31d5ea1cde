"""The ``Date`` of an embedded server's replies, by the clock that the server lives by."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["dated"]


def dated(application: ASGIApp, clock: Callable[[], float]) -> ASGIApp:
    """The application with a ``Date`` in each reply, as real servers send it (RFC 9110, 6.6.1)."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", formatdate(clock(), usegmt=True).encode())
                message = {**message, "headers": [*message.get("headers", ()), date]}
            await send(message)

        await application(scope, receive, send_dated)

    return answered
