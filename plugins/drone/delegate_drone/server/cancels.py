"""Telling watchers that a build was cancelled, with the gap that the real server has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from .errors import RestartedError, ServerError
from .rules import Cancels, Rules

__all__ = ["Canceller"]

_REMEMBERED = 300.0
"""Seconds for which a cancelled build is remembered where late watchers are told."""


@dataclass(eq=False, slots=True)
class _Watcher:
    build_id: int
    woken: anyio.Event = field(default_factory=anyio.Event)
    restarted: bool = False


class Canceller:
    """Knows who watches which build.

    Args:
        rules: how long a watch waits, and whether late watchers are told.
        clock: seconds since the epoch.
        changed: called when somebody watches or has stopped to.
    """

    def __init__(self, rules: Rules, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self._rules, self._clock, self._changed = rules, clock, changed
        self._watchers: set[_Watcher] = set()
        self._cancelled: dict[int, float] = {}

    @property
    def watched(self) -> list[int]:
        """The builds that are being watched, once for each watcher."""
        return sorted(watcher.build_id for watcher in self._watchers)

    def cancel(self, build_id: int) -> None:
        """Wake who watches this build now."""
        self._cancelled[build_id] = self._clock()
        for watcher in self._watchers:
            if watcher.build_id == build_id:
                watcher.woken.set()

    def forget(self) -> None:
        """Break every watch and remember nothing, as a restart does."""
        self._cancelled.clear()
        for watcher in self._watchers:
            watcher.restarted = True
            watcher.woken.set()

    async def watch(self, build_id: int) -> bool:
        """Wait for the build's cancellation; False if the time is over.

        Raises:
            ServerError: the time is over, where cancellations go through Redis.
            RestartedError: the server has restarted meanwhile.
        """
        redis = self._rules.cancels is Cancels.REDIS
        if redis and self._clock() - self._cancelled.get(build_id, -_REMEMBERED) < _REMEMBERED:
            return True
        woken = await self._wait(_Watcher(build_id))
        if redis and not woken:
            raise ServerError("redis: nil")
        return woken

    async def _wait(self, watcher: _Watcher) -> bool:
        self._watchers.add(watcher)
        self._changed()
        try:
            with anyio.move_on_after(self._rules.long_poll):
                await watcher.woken.wait()
        finally:
            self._watchers.discard(watcher)
            self._changed()
        if watcher.restarted:
            raise RestartedError
        return watcher.woken.is_set()
