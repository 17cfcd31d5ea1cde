"""HTTP within bounds: what a server of ours bears of whoever connects, without a token too.

A connection that asks for nothing, asks by a byte a second, sends without end or never takes its reply costs memory and
a place. uvicorn bounds the head of a request and the wait for the next one; the rest is here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

__all__ = ["BoundedConnection", "Bounds", "configured"]


_DEFECTS: Final = logging.getLogger(f"{__name__}.connection")
_DEFECTS.setLevel(logging.ERROR)  # a stranger's nonsense is no news, and must not fill the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is borne.

    Attributes:
        connections: at one time. Beyond, the one that has been without a request for longest is closed.
        head: bytes of a request's head.
        head_time: seconds from the connection, or the end of the wait for a further request, to the end of its head.
        body: bytes of a request.
        body_time: seconds for them, from the end of the head.
        unread_time: seconds in which nothing of a reply is taken.
        idle_time: seconds that a connection waits for a further request.
    """

    connections: int = 256
    head: int = 64 * 1024
    head_time: float = 10.0
    body: int = 64 * 1024
    body_time: float = 60.0
    unread_time: float = 30.0
    idle_time: float = 5.0


class _Config(uvicorn.Config):
    bounds: Bounds


def configured(
    app: ASGIApp, bounds: Bounds, *, connection: type[BoundedConnection] | None = None, date_header: bool = True
) -> uvicorn.Config:
    """How uvicorn serves an application within bounds, quietly, and without a life of its own."""
    config = _Config(
        _forgiving(app),
        http=connection or BoundedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=date_header,
        server_header=False,
        timeout_keep_alive=bounds.idle_time,  # type: ignore[arg-type]  # it goes to call_later
        h11_max_incomplete_event_size=bounds.head,
    )
    config.bounds = bounds
    return config


def _forgiving(app: ASGIApp) -> ASGIApp:
    """The application, for which a client that goes, or breaks the protocol, in the midst of a request is no error."""

    async def forgiving(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except (ClientDisconnect, h11.LocalProtocolError):
            while (await receive())["type"] != "http.disconnect":
                pass

    return forgiving


class BoundedConnection(H11Protocol):
    """A connection with one clock: for the head, for the body, and for the reply to be taken."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        """Start the clock, and make room."""
        super().connection_made(transport)
        self.logger = _DEFECTS
        assert isinstance(self.config, _Config)  # noqa: S101 - for the type checker: `configured` makes it
        self.bounds = self.config.bounds
        self.since = self.loop.time()
        self._size = 0
        self._receiving: RequestResponseCycle | None = None
        self._clock: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._wind(self.bounds.head_time, self.abort)
        if len(self.connections) > self.bounds.connections:
            others = [each for each in self.connections if isinstance(each, BoundedConnection) and each.is_idle]
            min(others, key=lambda each: each.since, default=self).abort()

    @property
    def is_idle(self) -> bool:
        """No request is under way."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        super().connection_lost(exc)
        self._stop()
        self._stop_unread()

    def data_received(self, data: bytes) -> None:
        """Take what came, within the bounds of a request."""
        super().data_received(data)
        if self.transport.is_closing() or self.is_idle:
            return
        if self._receiving is not self.cycle:
            self._receiving, self._size = self.cycle, self._announced()
            self._wind(self.bounds.body_time, lambda: self._refuse(HTTPStatus.REQUEST_TIMEOUT))
        if self._chunked:
            self._size += len(data)
        if self._size > self.bounds.body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif not self.cycle.more_body:
            self._stop()

    def handle_events(self) -> None:
        """Whoever goes on with nonsense after the reply is no error of ours."""
        try:
            super().handle_events()
        except h11.LocalProtocolError:
            self.abort()

    def on_response_complete(self) -> None:
        """Wait for the next request, which may take as long as the first one once it begins."""
        self.since = self.loop.time()
        self._wind(self.bounds.idle_time + self.bounds.head_time, self.abort)
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close it, even if the last reply is never taken."""
        super().timeout_keep_alive_handler()
        self._wind(self.bounds.unread_time, self.abort)

    def pause_writing(self) -> None:
        """The other side takes nothing."""
        super().pause_writing()
        self._stop_unread()
        self._unread = self.loop.call_later(self.bounds.unread_time, self.abort)

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        self._stop_unread()

    def _announced(self) -> int:
        """Bytes that the head says will come. h11 lets only a number pass, and no more than that many bytes."""
        return next((int(value) for name, value in self.headers if name == b"content-length"), 0)

    @property
    def _chunked(self) -> bool:
        """They come in chunks instead, and nobody knows how many."""
        return any(name == b"transfer-encoding" for name, _ in self.headers)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer, if nothing was answered so far, and close; the application sees a client that has gone."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if not self.cycle.response_started:
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(head.encode())
        self.transport.close()
        self._wind(self.bounds.unread_time, self.abort)

    def abort(self) -> None:
        """Break it at once."""
        self.transport.abort()

    def _wind(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop()
        self._clock = self.loop.call_later(seconds, then)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
