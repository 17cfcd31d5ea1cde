"""An embedded manager of the Harness delegate interface, to develop and test delegates against.

It shares no code with this distribution's client, so that a mistake in one does not hide in the other.
"""

from .faults import Fault, FaultKind, Faults
from .logstore import Line, LogStore, LogStream
from .records import (
    Delegate,
    DelegateStatus,
    Outcome,
    Result,
    ResultCode,
    Submission,
    TaskEvent,
    TaskRecord,
    TaskStatus,
    Verdict,
)
from .rules import Rules
from .server import EmbeddedManager
from .state import ManagerState

__all__ = [
    "Delegate",
    "DelegateStatus",
    "EmbeddedManager",
    "Fault",
    "FaultKind",
    "Faults",
    "Line",
    "LogStore",
    "LogStream",
    "ManagerState",
    "Outcome",
    "Result",
    "ResultCode",
    "Rules",
    "Submission",
    "TaskEvent",
    "TaskRecord",
    "TaskStatus",
    "Verdict",
]
