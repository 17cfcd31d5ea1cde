"""The knobs of the manager's behaviour."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How the manager treats tasks.

    Attributes:
        strict: Take only the task types the real manager can hold as JSON, bind their responses to their
            shapes, and fail a task at once if no delegate is eligible. Otherwise any type is welcome and
            such a task waits.
        rounds: Broadcast rounds before a queued task is *not assigned*; None: no limit.
        requeue_keeps_instance: A task put back by RETRY_ON_OTHER_DELEGATE keeps its old instance id, so
            that nobody can acquire it before it expires: a defect read in the real manager.
        event_limit: Most tasks one poll lists; None: all, as the real one.
        tick_seconds: How often the server applies the rules of time.
        keep_finished: Finished tasks that stay readable.
    """

    strict: bool = False
    rounds: int | None = 3
    requeue_keeps_instance: bool = False
    event_limit: int | None = None
    tick_seconds: float = 1.0
    keep_finished: int = 10_000
