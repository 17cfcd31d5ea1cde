"""``delegate doctor``: the runner that these settings would start is put together, looked at, and not started."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from delegate_core.cli.doctor.checks import all_checks
from delegate_core.cli.doctor.patient import Patient
from delegate_core.cli.doctor.view import View, open_view
from delegate_core.cli.durations import seconds_of
from delegate_core.diagnosis import Check, Checked, run_checks

__all__ = ["doctor"]


def doctor(*, config: Path | None, as_json: bool, patience: str, **flags: Any) -> int:
    """Check and print; the status that the command exits with."""
    logging.getLogger().addHandler(logging.NullHandler())  # what is broken is said by the checks
    patient = Patient.of(config, flags, os.environ, seconds_of("--patience", patience))
    checks = all_checks(patient)
    view = open_view(sys.stdout, os.environ, as_json=as_json)
    checked = anyio.run(_checked, checks, view)
    code = exit_code(checked)
    view.end(checked, patient.backend, code)
    sys.stdout.flush()
    if _is_deserted(checks, checked):
        os._exit(code)  # the interpreter would wait for the threads, too
    return code


async def _checked(checks: list[Check], view: View) -> list[Checked]:
    with view.showing([check.name for check in checks]):
        return await run_checks(checks, view.tell)


def _is_deserted(checks: Sequence[Check], checked: Sequence[Checked]) -> bool:
    """Whether a check was given up that may have left a thread, as one that waits for a name server."""
    late = any(one.seconds >= check.timeout for one, check in zip(checked, checks, strict=True))
    return late and threading.current_thread() is threading.main_thread()


def exit_code(checked: list[Checked]) -> int:
    """That with which a start would end at the first of the problems that end one; warnings are none."""
    codes = [one.finding.code for one in checked if one.finding.status == "problem"]
    return next((code for code in codes if code != 1), 1 if codes else 0)
