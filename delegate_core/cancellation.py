"""Telling a real cancellation from an exception that only looks like one."""

from __future__ import annotations

import asyncio
import sys

__all__ = ["raise_if_cancelled"]


def raise_if_cancelled() -> None:
    """Within an ``except`` clause: raise again where the present task is really being cancelled.

    A plugin's code may also let a `CancelledError` escape that nobody sent to this task, by awaiting something that
    was cancelled elsewhere. Taken for a cancellation, it would silently end the life of a claimed task.
    """
    error, task = sys.exception(), asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
        raise error
