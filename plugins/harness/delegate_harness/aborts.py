"""What the manager has aborted: each abort is listed once, and perhaps before the acquire of its task is answered."""

from __future__ import annotations

from collections import OrderedDict

import anyio

__all__ = ["Aborts"]

_KEPT = 1024


class Aborts:
    """Remembers the latest aborts of one runner, across sessions."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._news = anyio.Event()

    def add(self, task_id: str) -> None:
        """Note an abort. Only the delegate that has a task is told of it, so the task is, or was, ours."""
        self._ids[task_id] = None
        while len(self._ids) > _KEPT:
            self._ids.popitem(last=False)
        self._news.set()
        self._news = anyio.Event()

    async def wait_for(self, task_id: str, seconds: float) -> bool:
        """Whether a task is aborted, now or within so many seconds."""
        with anyio.move_on_after(seconds):
            while task_id not in self._ids:
                await self._news.wait()
        return task_id in self._ids
