"""``delegate maintenance``: told to the runner that has the folder, or written there for the next one."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from delegate_core.cli.durations import seconds_of
from delegate_core.cli.steering import given
from delegate_core.console.visible import visible
from delegate_core.control import NoRunner, Order
from delegate_core.maintenance import Maintenance, MaintenanceFile
from delegate_core.statefolder import StateFolder

__all__ = ["begin", "end", "show"]


def begin(folder: Path, message: str, duration: str | None) -> int:
    """Begin it.

    Raises:
        SettingsError: the duration is none.
        DelegateError: it cannot be recorded.
    """
    seconds = None if duration is None else seconds_of("--for", duration)
    try:
        answer = given(folder, Order(do="maintain", reason=message, seconds=seconds))
    except NoRunner:
        wanted = Maintenance.beginning(message, by=getpass.getuser(), seconds=seconds)
        with StateFolder(folder) as owned:
            MaintenanceFile(owned.path).write(wanted)
        sys.stdout.write(f"the next runner there starts {visible(str(wanted))}\n")
        return 0
    sys.stdout.write(f"process {answer.pid}: {visible(answer.why) or 'in maintenance'}\n")
    return 0


def end(folder: Path) -> int:
    """End it; nothing to do is no error."""
    try:
        answer = given(folder, Order(do="end"))
    except NoRunner:
        if folder.is_dir():
            with StateFolder(folder) as owned:
                MaintenanceFile(owned.path).remove()
        sys.stdout.write("the next runner there starts without maintenance\n")
        return 0
    sys.stdout.write(f"process {answer.pid}: out of maintenance, it is {answer.standing}\n")
    return 0


def show(folder: Path) -> int:
    """Print how it is; 1 if it is in maintenance.

    Raises:
        StateError: the folder cannot be looked at.
    """
    StateFolder(folder).owner()  # asked only because it says so
    found = MaintenanceFile(folder).read()
    sys.stdout.write(f"{visible(str(found or 'not in maintenance'))}\n")
    return 0 if found is None else 1
