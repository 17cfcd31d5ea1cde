"""What tasks print, on its way to the server: masked, cut into lines, spooled on disk, sent in batches."""

from delegate_core.logs.lines import LineSplitter
from delegate_core.logs.mask import Mask, MaskStream
from delegate_core.logs.records import RecordFilter
from delegate_core.logs.secrecy import Secrecy
from delegate_core.logs.segment import LogLine
from delegate_core.logs.spool import CUT_OFF, Dropped, Spool
from delegate_core.logs.tasklog import LogSink, Stored, TaskLog

__all__ = [
    "CUT_OFF",
    "Dropped",
    "LineSplitter",
    "LogLine",
    "LogSink",
    "Mask",
    "MaskStream",
    "RecordFilter",
    "Secrecy",
    "Spool",
    "Stored",
    "TaskLog",
]
