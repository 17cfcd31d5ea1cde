"""Calls by name: how long each kind of call to the server takes, and how it ends.

A client marks its methods, and whoever observes is told of each call that they make::

    class ManagerClient:
        @operation("heartbeat")
        async def heartbeat(self) -> HeartbeatReply: ...

    with observing(tell):
        await client.heartbeat()  # tell("heartbeat", "ok", 0.012)

The names are few and fixed, unlike addresses, which hold ids. Without an observer a marked method is called as it is.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, ParamSpec, TypeVar

from delegate_core.http.errors import BadReply, ConnectFailed, Interrupted, TimedOut, TlsFailed, TransportError

__all__ = ["Observe", "Outcome", "note", "observing", "operation"]

P = ParamSpec("P")
T = TypeVar("T")

Call = Coroutine[Any, Any, T]

Outcome = str
"""How a call ended: ``ok`` if its method returned, else what stood in the way: ``connect``, ``tls``, ``timeout``,
``interrupted`` (the connection was lost), ``3xx``, ``4xx``, ``5xx``, ``malformed`` (a reply that cannot be used), or
``other``."""

Observe = Callable[[str, Outcome, float], object]
"""Takes the operation, its outcome, and how many seconds it took."""

_KINDS: Final[dict[type[TransportError], Outcome]] = {
    ConnectFailed: "connect",
    TlsFailed: "tls",
    TimedOut: "timeout",
    Interrupted: "interrupted",
    BadReply: "malformed",
}


class _Exchange:
    """What the last request of an operation came to."""

    __slots__ = ("result",)

    def __init__(self) -> None:
        self.result: int | TransportError | None = None


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
                observe(name, _outcome(exchange, error), time.perf_counter() - started)
                raise
            finally:
                _exchange.reset(token)
            observe(name, "ok", time.perf_counter() - started)
            return answer

        return call

    return marked


def note(result: int | TransportError) -> None:
    """For transports: the status that a request was answered with, or the fault that kept it from its reply."""
    exchange = _exchange.get()
    if exchange is not None:
        exchange.result = result


def _outcome(exchange: _Exchange, error: Exception) -> Outcome:
    """Why the method has raised: the transport's fault, the status, or else a reply that looked good and was not."""
    result = error if isinstance(error, BadReply) else exchange.result
    if isinstance(result, TransportError):
        return _KINDS.get(type(result), "other")
    if result is None:
        return "other"
    return "malformed" if result < 300 else f"{result // 100}xx"
