"""How long offers wait before their task starts: a plugin that tells those who measure it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from delegate_core.markers import hookimpl
from delegate_core.model import Offer, Task

__all__ = ["Pickups"]

_OFFERS: Final = 10_000
"""Offers whose time is remembered: most of what a server offers to many runners is claimed by another."""


class Pickups:
    """Measures from a server's offer to the handler's start.

    Args:
        listeners: are told each task that was picked up, with the seconds that took.
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, *listeners: Callable[[Task, float], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._listeners = listeners
        self._clock = clock
        self._lock = threading.Lock()
        self._offered: dict[str, float] = {}

    @hookimpl
    def accept_task(self, offer: Offer) -> None:
        """Not a veto: this is when an offer is first seen."""
        with self._lock:
            self._offered.setdefault(offer.task_id, self._clock())
            while len(self._offered) > _OFFERS:
                del self._offered[next(iter(self._offered))]

    @hookimpl
    def task_started(self, task: Task) -> None:
        """It was picked up."""
        with self._lock:
            offered = self._offered.pop(task.id, None)
        if offered is not None:
            for told in self._listeners:
                told(task, self._clock() - offered)
