"""Looking from time to time for what will hurt later, by the doctor's checks whose findings come by themselves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from delegate_core.cli.doctor.patient import Patient

__all__ = ["Checkup"]

_log = logging.getLogger(__name__)

_FIRST: Final = 60.0
"""Seconds after the start; before that `delegate doctor` is the one to ask."""

_EVERY: Final = 3600.0


class Checkup:
    """Advises of a runner's clock and of certificates that end soon, as the backend's own checks find them.

    What keeps the runner from its work is not said here: how it stands says that at once.

    Args:
        patient: makes the runner's settings with the runner itself; asked at the first look.
        first: seconds until the first look.
        every: seconds between two.
    """

    def __init__(self, patient: Callable[[], Patient], *, first: float = _FIRST, every: float = _EVERY) -> None:
        self._patient = patient
        self._first = first
        self._every = every

    async def keep(self) -> None:
        """Look for ever. Error handling: a check that fails advises nothing, and is looked at again next time."""
        await anyio.sleep(self._first)
        while True:
            await self.look()
            await anyio.sleep(self._every)

    async def look(self) -> None:
        """Look once."""
        from delegate_core.cli.doctor.contributed import contributed  # noqa: PLC0415 - not needed to start
        from delegate_core.diagnosis import run_checks  # noqa: PLC0415 - the same

        patient = self._patient()
        runner = patient.runner
        if runner is None:
            return
        # All of the backend's: some of them wait for what others are answered.
        for checked in await run_checks(list(contributed(runner, patient.diagnosis(runner)))):
            finding = checked.finding
            if not _is_lasting(checked.name):
                continue
            if finding.status in {"warning", "problem"}:
                _log.warning("%s: %s; to do: %s", checked.name, finding.seen, finding.cure)
                runner.advice.give(checked.name, finding.seen, finding.cure)
            elif finding.status == "ok":
                runner.advice.withdraw(checked.name)


def _is_lasting(name: str) -> bool:
    """Whether what it finds comes by itself, while the settings stay as they are."""
    return name == "clock" or name.endswith(" TLS")
