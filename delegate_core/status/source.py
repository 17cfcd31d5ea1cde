"""What the status server asks, and whom it passes orders on to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from delegate_core.errors import StateError
from delegate_core.history import History
from delegate_core.logs import LogLine
from delegate_core.runner import Runner
from delegate_core.status.access import Access
from delegate_core.status.activity import Activity
from delegate_core.status.meter import Meter
from delegate_core.status.metrics import Metrics
from delegate_core.status.report import StatusReport, report

__all__ = ["Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One runner, with those that observe it.

    Args:
        runner: whose status it is.
        activity: what its tasks do; a plugin of the runner.
        meter: how fast they do it; a plugin of the runner.
        metrics: what it measures; a plugin of the runner.
        access: who may look.
        settings: what is shown of its settings: by table and name, each with ``value`` and ``from``; no secret.
        clock: seconds since 1970.
    """

    runner: Runner
    activity: Activity
    meter: Meter
    metrics: Metrics
    access: Access
    settings: Callable[[], Mapping[str, Any]] = dict
    clock: Callable[[], float] = field(default=time.time)

    def report(self) -> StatusReport:
        """Its state now."""
        return report(self.clock(), self.runner.backend_name, self.runner.snapshot(), self.activity, self.meter.rates())

    def log(self, task_id: str) -> Iterator[str]:
        """A task's whole log as it is on this machine, its steps one after another. Reads files.

        Raises:
            StateError: there is no such task.
        """
        history = History(self.runner.state_dir)
        entry = history.find(task_id)
        if entry.task_id != task_id:
            raise StateError(f"no task {task_id}")
        missing, lines = history.log(entry)
        yield from _shown("", missing, lines)
        for step, gone, of_step in history.steps(entry):
            yield from _shown(f"[{step}] ", gone, of_step)


def _shown(prefix: str, missing: int, lines: Iterator[LogLine]) -> Iterator[str]:
    if missing:
        yield f"{prefix}({missing:,} lines before this one were not kept)\n"
    for line in lines:
        yield f"{prefix}{line.text}\n"
