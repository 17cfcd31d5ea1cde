"""How often to poll a server that has no long poll: at once while there is work, rarely when there is none."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pace"]

_GROWTH = 1.5


@dataclass
class Pace:
    """The gap from one poll's start to the next one's, in seconds.

    Args:
        idle: the longest gap, reached when nothing has come for a while.
        busy: the shortest gap, while tasks come; never longer than ``idle``.
        calm: how long after the last task the gap stays at its shortest before it grows.
    """

    idle: float = 3.0
    busy: float = 0.1
    calm: float = 1.0

    def __post_init__(self) -> None:
        self.busy = min(self.busy, self.idle)
        self._gap = self.idle
        self._last_task = float("-inf")

    def polled(self, now: float, found: int) -> float:
        """Note a poll's answer; return the gap to the next poll's start.

        Args:
            now: seconds on a monotonic clock.
            found: how many new tasks the answer listed.
        """
        if found:
            self._last_task = now
            self._gap = self.busy
        elif now - self._last_task > max(self.calm, 3 * self.busy):
            self._gap = min(self.idle, self._gap * _GROWTH)
        return self._gap
