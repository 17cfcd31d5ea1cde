"""The task type ``line-stats``: how long the lines of a text are. A Perl program beside this module does it."""

from collections.abc import Iterable
from pathlib import Path

from delegate_core import TaskHandler, executable, hookimpl

line_stats = executable("line-stats", Path(__file__).with_name("line-stats.pl"))


@hookimpl
def task_handlers() -> Iterable[TaskHandler]:
    """What a runner finds here."""
    return [line_stats]
