"""When a runner leaves by itself: after so many tasks, after a time without work, after a time."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from delegate_core.runner.core import Core
from delegate_core.settings import format_duration

__all__ = ["watch_lifespan"]

_LOOK = 0.1
"""Seconds between two looks. Nothing depends on them: a drain holds the slots in the moment it is asked for."""


async def watch_lifespan(core: Core, drain: Callable[[str], None]) -> None:
    """Ask for a drain when one of the limits is reached. A task is never claimed beyond one: see `Slots.quota`."""
    begun = idle_since = anyio.current_time()
    claimed = 0
    while True:
        now, limits = anyio.current_time(), core.settings
        if core.taken or core.counters.claimed != claimed:
            claimed, idle_since = core.counters.claimed, now
        if limits.max_tasks is not None and claimed >= limits.max_tasks:
            drain(f"it has claimed {claimed} tasks, as many as max_tasks allows")
        elif limits.max_idle is not None and now - idle_since >= limits.max_idle:
            drain(f"nothing to do for {format_duration(limits.max_idle)}")
        elif limits.max_uptime is not None and now - begun >= limits.max_uptime:
            drain(f"it has run for {format_duration(limits.max_uptime)}")
        else:
            await anyio.sleep(_LOOK)
            continue
        return
