"""How calls reach a control plane: the protocol of a transport."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from delegate_core.http.errors import Interrupted, TransportError
from delegate_core.http.operations import note
from delegate_core.http.reply import Reply

__all__ = ["LARGEST_BODY", "REPEATABLE", "Call", "Transport", "carry"]

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a reply's body, decompressed, beyond which it is refused."""

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that are sent once more when they were lost before any reply.

PUT and DELETE are idempotent to HTTP (RFC 9110, 9.2.2) but not to control planes that count versions: there a lost
reply is the caller's to see.


A server may close a kept-alive connection at the moment a request goes out on it. Both libraries notice a
connection closed earlier and take another; what remains is this race.
"""


class Transport(Protocol):
    """A pool of connections that carries calls. Follows no redirect (a 3xx is a `Reply`), keeps no cookie."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - libraries bound a call more cheaply than a scope does
    ) -> Reply:
        """Send one request and read its whole reply, whatever its status.

        Args:
            method: in upper case.
            url: absolute, http or https.
            headers: sent as they are, besides Host, Content-Length, User-Agent and Accept-Encoding.
            body: sent as it is.
            timeout: seconds for everything: connecting, sending, and reading the reply.

        Raises:
            TransportError: one of its kinds, saying where, why and what may help.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection. A call after this raises `ConnectFailed`."""
        ...


class Call(NamedTuple):
    """One request, as `Transport.request` was given it. Its repr shows no header and no body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    def __repr__(self) -> str:
        return f"Call({self.method} {self.url.partition('?')[0]})"


async def carry(attempt: Callable[[Call, float], Awaitable[Reply]], call: Call, seconds: float) -> Reply:
    """Attempt a call; once more, in the time left, if it was lost before any reply and may be sent twice.

    What it comes to is noted for whoever observes the operation that it is part of.

    Raises:
        TransportError: the last attempt's, which is `sent` if either was.
    """
    try:
        reply = await _attempted(attempt, call, seconds)
    except TransportError as error:
        note(call.method, call.url, error)
        raise
    note(call.method, call.url, reply.status)
    return reply


async def _attempted(attempt: Callable[[Call, float], Awaitable[Reply]], call: Call, seconds: float) -> Reply:
    started = time.monotonic()
    try:
        return await attempt(call, seconds)
    except Interrupted as lost:
        left = seconds - (time.monotonic() - started)
        if lost.replied or call.method not in REPEATABLE or left <= 0:
            raise
    try:
        return await attempt(call, left)
    except TransportError as error:
        error.sent = True
        raise
