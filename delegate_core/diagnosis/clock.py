"""How far this machine's clock is from the server's, as the server's replies tell it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from delegate_core.diagnosis.finding import Finding
from delegate_core.http import Reply, Transport

__all__ = ["ServerClock"]

_CURE = "set this machine's clock: let it follow a time server (timedatectl set-ntp true)"


class ServerClock:
    """A transport that notes the ``Date`` of the replies that it carries (RFC 9110, 6.6.1: whole seconds).

    Args:
        transport: what carries the calls.
        clock: seconds since 1970.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self._clock = clock
        self.ahead: float | None = None
        """Seconds that this machine's clock is ahead of the server's; None: no reply has told."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - the protocol's
    ) -> Reply:
        """See `Transport.request`."""
        began = self._clock()
        reply = await self._transport.request(method, url, headers=headers, body=body, timeout=timeout)
        told = _seconds(reply.headers.get("date", ""))
        if told is not None:
            # The server has looked at its clock between the two moments, and left out the fraction of its second.
            least, most = began - told - 1, self._clock() - told
            self.ahead = min(max(0.0, least), most)
        return reply

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        await self._transport.aclose()

    def finding(self, *, most: float, effect: str, worst: float | None = None) -> Finding:
        """What the last reply says of the clocks.

        Args:
            most: seconds of difference, ahead or behind, from which on it is a warning.
            effect: what happens then.
            worst: seconds behind the server from which on nothing works.
        """
        if self.ahead is None:
            return Finding.skipped("the server's replies have no Date")
        seen = f"{abs(self.ahead):.0f}s {'ahead of' if self.ahead > 0 else 'behind'} the server's"
        if worst is not None and self.ahead <= -worst:
            return Finding.problem(f"{seen}: {effect}", _CURE, code=4)
        if abs(self.ahead) >= most:
            return Finding.warning(f"{seen}: {effect}", _CURE)
        return Finding.ok("as the server's, within a second" if abs(self.ahead) < 1 else seen)


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
