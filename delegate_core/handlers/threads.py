"""Running a sync handler in a thread that can be left behind."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import anyio

from delegate_core.handlers.context import TaskContext

__all__ = ["call_in_thread"]


async def call_in_thread(work: Callable[[], Any], context: TaskContext) -> Any:
    """Run in a thread. When cancelled, tell it, wait for the grace, and leave it: the slot waits for its end.

    The thread is a daemon of its own and not of a pool: one that never ends must not keep the program from ending.
    """
    call = _Call(work)
    threading.Thread(target=call.run, name=f"task-{context.task.id}", daemon=True).start()
    try:
        await call.ended.wait()
    except asyncio.CancelledError:
        context.cancelled.set(context.cancelled.cause)
        with anyio.CancelScope(shield=True), anyio.move_on_after(context.grace):
            await call.ended.wait()
        if not call.ended.is_set():
            context.outlived_by = call.ended
        raise
    return call.result()


class _Call:
    """One call in its thread, with the caller's context variables."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.ended = anyio.Event()
        self._work = work
        self._variables = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._answer: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call; for the thread."""
        try:
            self._answer = self._variables.run(self._work)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the call is awaited
            self._error = error
        with contextlib.suppress(RuntimeError):  # the loop may be gone when a thread that was left behind ends
            self._loop.call_soon_threadsafe(self.ended.set)

    def result(self) -> Any:
        """What it returned.

        Raises:
            BaseException: what it raised.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._answer
