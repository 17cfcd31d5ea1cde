"""Calls by name: how long each kind of call to the server takes, and how it ends.

A client marks its methods, and whoever observes is told of each call that they make::

    class ManagerClient:
        @operation("heartbeat")
        async def heartbeat(self) -> HeartbeatReply: ...

    with observing(tell):
        await client.heartbeat()  # tell("heartbeat", "ok", 0.012, Request("POST", "https://manager/heartbeat", 200))

The names are few and fixed, unlike addresses, which hold ids. Without an observer a marked method is called as it is.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from delegate_core.http.errors import BadReply, ConnectFailed, Interrupted, TimedOut, TlsFailed, TransportError

__all__ = ["Observe", "Outcome", "Request", "note", "observing", "operation"]

P = ParamSpec("P")
T = TypeVar("T")

Call = Coroutine[Any, Any, T]

Outcome = str
"""How a call ended: ``ok`` if its method returned, else what stood in the way: ``connect``, ``tls``, ``timeout``,
``interrupted`` (the connection was lost), ``3xx``, ``4xx``, ``5xx``, ``malformed`` (a reply that cannot be used), or
``other``."""


class Request(NamedTuple):
    """One request as it went out, without headers, body, and the query of its address, where secrets may be.

    Attributes:
        method: in upper case.
        url: absolute.
        status: of the reply; None: there was none.
    """

    method: str
    url: str
    status: int | None


Observe = Callable[[str, Outcome, float, Request | None], object]
"""Takes the operation, its outcome, how many seconds it took, and the last request that was sent for it, if any was."""

_KINDS: Final[dict[type[TransportError], Outcome]] = {
    ConnectFailed: "connect",
    TlsFailed: "tls",
    TimedOut: "timeout",
    Interrupted: "interrupted",
    BadReply: "malformed",
}


class _Exchange:
    """The last request of an operation, and what it came to."""

    __slots__ = ("method", "result", "url")

    def __init__(self) -> None:
        self.method = self.url = ""
        self.result: int | TransportError | None = None

    @property
    def request(self) -> Request | None:
        if self.result is None:
            return None
        status = self.result if isinstance(self.result, int) else None
        return Request(self.method, self.url.partition("?")[0], status)


_observe: ContextVar[Observe | None] = ContextVar("delegate_observe", default=None)
_exchange: ContextVar[_Exchange | None] = ContextVar("delegate_exchange", default=None)


@contextmanager
def observing(observe: Observe | None) -> Iterator[None]:
    """Tell this one, or nobody, of every call that the body and whatever tasks it starts make. It must not raise."""
    token = _observe.set(observe)
    try:
        yield
    finally:
        _observe.reset(token)


def operation(name: str) -> Callable[[Callable[P, Call[T]]], Callable[P, Call[T]]]:
    """Mark a client's method: it is one call to the server, by this name. A call that is cancelled is not told."""

    def marked(method: Callable[P, Call[T]]) -> Callable[P, Call[T]]:
        @functools.wraps(method)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            observe = _observe.get()
            if observe is None:
                return await method(*args, **kwargs)
            exchange = _Exchange()
            token = _exchange.set(exchange)
            started = time.perf_counter()
            try:
                answer = await method(*args, **kwargs)
            except Exception as error:
                observe(name, _outcome(exchange, error), time.perf_counter() - started, exchange.request)
                raise
            finally:
                _exchange.reset(token)
            observe(name, "ok", time.perf_counter() - started, exchange.request)
            return answer

        return call

    return marked


def note(method: str, url: str, result: int | TransportError) -> None:
    """For transports: a request, and the status that it was answered with, or the fault that kept it from its reply."""
    exchange = _exchange.get()
    if exchange is not None:
        exchange.method, exchange.url, exchange.result = method, url, result


def _outcome(exchange: _Exchange, error: Exception) -> Outcome:
    """Why the method has raised: the transport's fault, the status, or else a reply that looked good and was not."""
    result = error if isinstance(error, BadReply) else exchange.result
    if isinstance(result, TransportError):
        return _KINDS.get(type(result), "other")
    if result is None:
        return "other"
    return "malformed" if result < 300 else f"{result // 100}xx"
