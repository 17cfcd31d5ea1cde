"""Work in a thread that heeds its cancellation."""

import threading
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Do it in a thread; when this is cancelled, the event is set, and its end awaited.

    Raises:
        Exception: what the work raises.
    """
    stop = threading.Event()
    outcome: list[T] = []
    failure: list[Exception] = []

    def call() -> None:
        try:
            outcome.append(work(stop))
        except Exception as error:  # noqa: BLE001 - raised again below, not in a group
            failure.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(_set_when_cancelled, stop)
        await anyio.to_thread.run_sync(call)
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]
    return outcome[0]


async def _set_when_cancelled(stop: threading.Event) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()
