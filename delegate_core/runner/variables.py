"""What plugins add to the environment of a task's processes."""

from __future__ import annotations

import logging

from delegate_core.model import Task
from delegate_core.plugins import Plugins

__all__ = ["TaskVariables"]

_log = logging.getLogger(__name__)


class TaskVariables:
    """Asks the plugins of one runner for variables. One that fails is logged and hurts no task."""

    def __init__(self, plugins: Plugins) -> None:
        self._asked = plugins.each("task_environment")

    def __call__(self, task: Task, step: str) -> dict[str, str]:
        """Those for processes of this task, or of this step of it."""
        variables: dict[str, str] = {}
        for ask in reversed(self._asked):
            try:
                variables.update(ask(task=task, step=step) or {})
            except Exception:  # noqa: BLE001 - a plugin may raise anything
                _log.exception("plugin %s failed in task_environment", ask.plugin)
        return variables
