"""Work beside a body of code, for as long as the body runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio

__all__ = ["beside"]


@asynccontextmanager
async def beside(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Do some work while the body runs, and end it then. What the body raises comes out as it is, not in a group."""
    raised: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below
            raised = error
        group.cancel_scope.cancel()
    if raised is not None:
        raise raised
