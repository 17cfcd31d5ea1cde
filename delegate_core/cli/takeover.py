"""Starting a runner where another process has its state folder: wait for that one's end, or have it drain first."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from delegate_core.control import NoRunner, Order, ask
from delegate_core.errors import DelegateError, StateError
from delegate_core.settings import RunnerSettings, format_duration
from delegate_core.statefolder import StateFolder

__all__ = ["await_folder"]

_LOOK = 0.1
_ANSWER = 10.0
"""Seconds that the other has to answer."""
_BY_FORCE = "if it hangs, `kill -9 {}` loses nothing: the next start settles what it had claimed"
_MARGIN = 10.0
"""Seconds, beyond what its drain may take, that the other has to be gone."""


def await_folder(folder: Path, settings: RunnerSettings) -> None:
    """Return when the folder is free, or where nobody wants to wait for it.

    Raises:
        StateError: it was not free in time, or the other does not take orders.
    """
    state = StateFolder(folder)
    owner = state.owner()
    if owner is None or not (settings.takeover or settings.lock_timeout):
        return
    patience = settings.lock_timeout
    if settings.takeover:
        patience = max(patience, _drained(folder, owner))
    verb = "drains" if settings.takeover else "has it"
    sys.stderr.write(
        f"delegate: process {owner} {verb}: waiting up to {format_duration(round(patience, 3))} for the state folder\n"
    )
    deadline = time.monotonic() + patience
    while (owner := state.owner()) is not None:
        if time.monotonic() > deadline:
            raise StateError(
                f"process {owner} still has the state folder {folder} after {format_duration(round(patience, 3))}; "
                f"see its console, stop it, or give this one a longer --lock-timeout; {_BY_FORCE.format(owner)}"
            )
        time.sleep(_LOOK)


def _drained(folder: Path, owner: str) -> float:
    """Ask the other to drain; seconds until it is gone at the latest."""
    try:
        return ask(folder, Order(do="drain"), timeout=_ANSWER).within + _MARGIN
    except NoRunner:
        return _MARGIN  # it starts or leaves at this moment
    except DelegateError as error:
        raise StateError(
            f"process {owner} has the state folder and takes no orders: {error}; {_BY_FORCE.format(owner)}"
        ) from None
