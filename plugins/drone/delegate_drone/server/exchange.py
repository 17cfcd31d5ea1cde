"""One call under way: its request, and the replies that the real server gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import gojson

__all__ = [
    "PLAIN",
    "WIRE_KEY",
    "Connection",
    "GoneError",
    "json_reply",
    "path_id",
    "send_reply",
    "text_reply",
    "while_there",
]

PLAIN = "text/plain; charset=utf-8"
"""What Go takes the server's JSON for, which does not say what it is."""

WIRE_KEY = "connection"
"""Where the server puts the call's `Connection`, in the scope's state."""

_Result = TypeVar("_Result")


class GoneError(Exception):
    """The client went away while it waited."""


class Connection:
    """What may be done to a connection beside HTTP."""

    def __init__(self, abort: Callable[[], None], finish: Callable[[bytes], None]) -> None:
        self.abort = abort
        """Break it at once."""
        self.finish = finish
        """Send these bytes, then close it."""


def json_reply(value: Any) -> Response:
    """200 with JSON that does not say so."""
    return Response(gojson.encode(value), headers={"content-type": PLAIN})


def text_reply(text: str, status: int) -> Response:
    """An error's bare text."""
    return Response(text, status, headers={"content-type": PLAIN})


def path_id(text: str) -> int:
    """An id of the path; what is no integer becomes 0, which no row has."""
    digits = text.removeprefix("-").removeprefix("+")
    number = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else 0
    return number if abs(number) < 2**63 else 0


async def while_there(request: Request, wait: Callable[[], Awaitable[_Result]]) -> _Result:
    """Wait for something as long as the client does.

    Raises:
        GoneError: the client has gone, and the wait was given up.
    """
    await request.body()
    found: list[_Result] = []
    failed: list[Exception] = []

    async def run() -> None:
        # An error is carried out by hand: the task group would wrap it.
        try:
            found.append(await wait())
        except Exception as error:  # noqa: BLE001 - raised again below
            failed.append(error)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await _gone(request)
        group.cancel_scope.cancel()
    if failed:
        raise failed[0]
    if not found:
        raise GoneError
    return found[0]


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def send_reply(response: Response | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a reply; None breaks the connection, and returns once the server has seen it broken."""
    if response is not None:
        await response(scope, receive, send)
        return
    scope["state"][WIRE_KEY].abort()
    while (await receive())["type"] != "http.disconnect":
        pass
