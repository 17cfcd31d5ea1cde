"""What keeps a runner from taking tasks because an operator wants it so: a pause, or maintenance."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio

from delegate_core.errors import StateError
from delegate_core.maintenance import Maintenance, MaintenanceFile
from delegate_core.runner.slots import Slots
from delegate_core.runner.standing import MAINTENANCE, PAUSED

__all__ = ["Upkeep"]

_LOOK = 1.0
"""Seconds between two looks at the clock."""


class Upkeep:
    """The operator's two holds. A pause ends with the process, maintenance only when it is ended, or by its own time.

    Args:
        slots: where they hold.
        changed: called when a hold comes or goes.
    """

    def __init__(self, slots: Slots, changed: Callable[[], object]) -> None:
        self._slots = slots
        self._changed = changed
        self._file: MaintenanceFile | None = None
        self.maintenance: Maintenance | None = None

    @property
    def reason(self) -> str | None:
        """Why nothing is to be taken; None: nothing is in the way."""
        return self._slots.holds.get(MAINTENANCE) or self._slots.holds.get(PAUSED)

    def open(self, folder: Path) -> None:
        """Take over what an earlier life was told. The folder is ours from here on."""
        self._file = MaintenanceFile(folder)
        self._note(self._file.read())

    def pause(self, reason: str) -> None:
        """Hold until `resume`."""
        self._slots.hold(PAUSED, reason)
        self._changed()

    def resume(self) -> None:
        """End the pause."""
        self._slots.unhold(PAUSED)
        self._changed()

    def maintain(self, message: str, by: str, seconds: float | None) -> None:
        """Hold until `end`, or for so many seconds.

        Raises:
            StateError: it cannot be recorded; nothing has changed.
            SettingsError: so many seconds are no time, or over ten years.
        """
        wanted = Maintenance.beginning(message, by=by, seconds=seconds)
        self._recorded.write(wanted)
        self._note(wanted)

    def end(self) -> None:
        """End maintenance.

        Raises:
            StateError: that cannot be recorded; nothing has changed.
        """
        self._recorded.remove()
        self._note(None)

    async def keep(self) -> None:
        """End maintenance when its own time has come. Ends by cancellation."""
        while True:
            await anyio.sleep(_LOOK)
            if self.maintenance is not None and self.maintenance.is_over():
                with suppress(StateError):  # whoever reads the file sees that it is over
                    self._recorded.remove()
                self._note(None)

    @property
    def _recorded(self) -> MaintenanceFile:
        if self._file is None:
            raise StateError("the runner does not run yet; try again in a moment")
        return self._file

    def _note(self, maintenance: Maintenance | None) -> None:
        self.maintenance = maintenance
        if maintenance is None:
            self._slots.unhold(MAINTENANCE)
        else:
            self._slots.hold(MAINTENANCE, str(maintenance))
        self._changed()
