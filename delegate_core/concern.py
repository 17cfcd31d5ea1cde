"""Whom the code that runs just now concerns: which runner, which task, which of its steps.

It follows the work through asyncio tasks and threads, as context variables do, so that a line which a library logs deep
inside can still be told to be of a certain task.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace

__all__ = ["Concern", "concern", "concerning"]


@dataclass(frozen=True, slots=True)
class Concern:
    """Each part is empty where the work concerns no certain one.

    Attributes:
        runner: its name.
        backend: name of the control plane's plugin.
        task: the task's id.
        step: name of the step.
    """

    runner: str = ""
    backend: str = ""
    task: str = ""
    step: str = ""

    def over(self, wider: Concern) -> Concern:
        """This one, with what it leaves open taken from a wider one."""
        return Concern(*(getattr(self, each.name) or getattr(wider, each.name) for each in fields(self)))


_NOBODY = Concern()
_concern: ContextVar[Concern] = ContextVar("delegate_concern", default=_NOBODY)


def concern() -> Concern:
    """Whom the caller's work concerns."""
    return _concern.get()


@contextmanager
def concerning(**parts: str) -> Iterator[None]:
    """What the body does, and what it starts, concerns these: parts of a `Concern` by name. The others stay."""
    token = _concern.set(replace(_concern.get(), **parts))
    try:
        yield
    finally:
        _concern.reset(token)
