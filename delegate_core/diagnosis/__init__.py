"""Checks of ``delegate doctor``, and what they are made of; a plugin brings its own by the hook ``diagnostics``."""

from delegate_core.diagnosis.check import Check, Checked, run_checks
from delegate_core.diagnosis.clock import ServerClock
from delegate_core.diagnosis.finding import Finding, Status
from delegate_core.diagnosis.programs import program
from delegate_core.diagnosis.reaching import Reaching
from delegate_core.diagnosis.subject import Diagnosis

__all__ = [
    "Check",
    "Checked",
    "Diagnosis",
    "Finding",
    "Reaching",
    "ServerClock",
    "Status",
    "program",
    "run_checks",
]
