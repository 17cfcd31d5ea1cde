"""An embedded server of the Drone runner interface, to develop and test runners against.

It shares no code with this distribution's client, so that a mistake in one does not hide in the other. It does not do
what has no meaning on loopback: templates, jsonnet and starlark, conversion plugins, signatures, approvals, and the
reaping of lost builds.
"""

from .builds import Order, SkippedError
from .errors import LockLostError, NoRowError, ServerError
from .faults import CALLS, Fault, FaultKind, Faults, parse_faults
from .hooks import EVENTS, Hook
from .parts import Keys, Parts
from .records import Build, Repository, Stage, Step, Wanted
from .rules import Cancels, Rules
from .server import EmbeddedDrone

__all__ = [
    "CALLS",
    "EVENTS",
    "Build",
    "Cancels",
    "EmbeddedDrone",
    "Fault",
    "FaultKind",
    "Faults",
    "Hook",
    "Keys",
    "LockLostError",
    "NoRowError",
    "Order",
    "Parts",
    "Repository",
    "Rules",
    "ServerError",
    "SkippedError",
    "Stage",
    "Step",
    "Wanted",
    "parse_faults",
]
