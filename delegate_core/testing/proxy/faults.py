"""What a proxy does to calls, and to which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import anyio

from delegate_core.testing.proxy.messages import Request

__all__ = ["HTML", "Fault", "Hold", "Mishap", "Plan", "Which"]

Which = Callable[[Request], bool]
"""Whether a call is meant."""


def _every(_request: Request) -> bool:
    return True


class Mishap(StrEnum):
    """What goes wrong with one call."""

    LOSE_REQUEST = "lose-request"
    """The connection ends; the server has not seen the call."""
    LOSE_REPLY = "lose-reply"
    """The connection ends; the call has taken effect."""
    CUT_REQUEST = "cut-request"
    """The server gets half of the request, then both connections are reset."""
    CUT_REPLY = "cut-reply"
    """The call takes effect; half of the reply arrives, then the connection is reset."""
    DELAY = "delay"
    """The call takes effect; the reply comes ``seconds`` late."""
    STATUS = "status"
    """The proxy answers ``status`` with ``body``; the server has not seen the call."""
    GARBAGE = "garbage"
    """The call takes effect; the reply's body is neither JSON nor UTF-8."""
    TRUNCATED = "truncated"
    """The call takes effect; the reply is well-formed HTTP around the first half of the body."""
    DUPLICATE = "duplicate"
    """The server gets the call twice; the first reply is handed on."""
    CONTENT_TYPE = "content-type"
    """The right reply under ``text/html``."""


HTML = b"<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>The gateway is unwell</h1></body></html>\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mishap, for so many calls.

    Attributes:
        which: the calls that are meant; all of them by default.
        mishap: what goes wrong with them.
        times: how many it hits; None: all from then on.
        after: how many it lets pass first.
        seconds: of DELAY.
        status: of STATUS.
        body: of STATUS.
        content_type: of STATUS.
    """

    mishap: Mishap
    which: Which = _every
    times: int | None = 1
    after: int = 0
    seconds: float = 0.0
    status: int = 502
    body: bytes = HTML
    content_type: str = "text/html"


@dataclass(slots=True, kw_only=True)
class Hold:
    """A call that hangs until `release`: before the server has seen it, or once it has taken effect.

    Attributes:
        which: the call that is meant.
        answered: whether the server answers it first.
        after: how many such calls pass first.
    """

    which: Which = _every
    answered: bool = False
    after: int = 0
    times: int | None = 1
    _reached: anyio.Event = field(default_factory=anyio.Event)
    _released: anyio.Event = field(default_factory=anyio.Event)

    async def reached(self) -> None:
        """Wait until the call hangs."""
        await self._reached.wait()

    def release(self) -> None:
        """Let it go on."""
        self._released.set()

    async def hang(self) -> None:
        """For the proxy: say that the call is here, and wait."""
        self._reached.set()
        await self._released.wait()


class Plan:
    """The faults in force. A call is hit by one: the first added that waits for it."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def add(self, *orders: Fault | Hold) -> None:
        """Put them in force, after those there are."""
        self._armed.extend(map(_Armed, orders))

    def clear(self) -> None:
        """Lift all."""
        self._armed.clear()

    @property
    def waiting(self) -> list[Fault | Hold]:
        """Those that have not hit all the calls yet that they are for."""
        return [armed.order for armed in self._armed]

    def take(self, request: Request) -> Fault | Hold | None:
        """What hits this call, if anything; the hit is counted."""
        for armed in self._armed:
            if armed.hits(request):
                self._armed = [each for each in self._armed if not each.spent]
                return armed.order
        return None


class _Armed:
    """An order, and how many calls it has seen."""

    def __init__(self, order: Fault | Hold) -> None:
        self.order = order
        self._seen = 0

    @property
    def spent(self) -> bool:
        return self.order.times is not None and self._seen >= self.order.after + self.order.times

    def hits(self, request: Request) -> bool:
        if not self.order.which(request):
            return False
        self._seen += 1
        return self._seen > self.order.after
