"""Which delegate may run which task, and the words for why none may."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .records import Delegate, TaskRecord

__all__ = ["eligible", "fold", "reason"]


def fold(names: Iterable[str]) -> frozenset[str]:
    """Selectors as the manager compares them: trimmed, in lower case, empty ones left out."""
    return frozenset(name.strip().lower() for name in names if name.strip())


def eligible(delegate: Delegate, task: TaskRecord) -> bool:
    """Whether the delegate may be given the task now."""
    if not delegate.available:
        return False
    if task.frozen_eligible is not None:
        return delegate.delegate_id in task.frozen_eligible
    return task.spec.type in delegate.task_types and task.selectors <= delegate.selectors


def reason(task: TaskRecord, delegates: Sequence[Delegate]) -> str:
    """Why the task is still queued, naming what would have to change."""
    connected = [delegate for delegate in delegates if delegate.available]
    if not connected:
        return "no delegate is connected"
    supporting = [delegate for delegate in connected if task.spec.type in delegate.task_types]
    if not supporting:
        return f"no connected delegate supports task type {task.spec.type}; connected: {_types(connected)}"
    able = [delegate for delegate in supporting if eligible(delegate, task)]
    if not able:
        wanted = ", ".join(sorted(task.selectors))
        return (
            f"no connected delegate that supports {task.spec.type} has all the selectors {wanted}; "
            f"supporting: {_selectors(supporting)}"
        )
    return f"waiting to be acquired by {_names(able)}"


def _names(delegates: Sequence[Delegate]) -> str:
    return ", ".join(delegate.name for delegate in delegates)


def _types(delegates: Sequence[Delegate]) -> str:
    return "; ".join(f"{each.name} ({', '.join(sorted(each.task_types)) or 'none'})" for each in delegates)


def _selectors(delegates: Sequence[Delegate]) -> str:
    return "; ".join(f"{each.name} ({', '.join(sorted(each.selectors))})" for each in delegates)
