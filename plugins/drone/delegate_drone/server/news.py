"""Waking whoever waits for a change."""

from __future__ import annotations

from collections.abc import Callable

import anyio

__all__ = ["News"]


class News:
    """An event that happens again and again."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def tell(self) -> None:
        """Something has changed."""
        self._event.set()
        self._event = anyio.Event()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once a condition holds; it is asked now and after each change."""
        while not condition():
            await self._event.wait()
