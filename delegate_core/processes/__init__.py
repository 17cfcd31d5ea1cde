"""Start, watch and end child processes: the one place that does it for scripts, executables and steps.

    exit = await run(spec, on_output=write, on_start=journal)

A process is more than its pid: it is a tree that grows, changes its groups and sessions and may outlive
the process that was started. The modules, from the ground up:

- ``table`` reads the kernel's process table,
- ``identity`` names one process for ever, for the journal,
- ``brand`` is what all of one start bear, and none sheds by accident,
- ``tree`` finds what belongs to one start,
- ``ending`` ends it: SIGTERM, a grace, SIGKILL,
- ``belongings`` is all that a user runs, which ends with the task that the user was for,
- ``user`` is another user than the runner's own, ``rights`` reaches a folder as that user does,
- ``limits`` bounds what each process of a start may take; that and the brand are ``rules`` of the kernel, which
  ``launching`` has hold from its first moment, where ``executable`` is certain that it will start,
- ``child`` starts the main process and reaps it, ``failure`` explains why it could not be started,
- ``output`` reads its pipes,
- ``process`` is the life of one start, from the first to the last of these.

Linux 5.3 or later: processes are waited for and signalled through pidfds, so that a signal never meets a
process that got the pid of another, and no wait polls.
"""

from delegate_core.processes.belongings import end_all_of, processes_of
from delegate_core.processes.ending import end_leftovers
from delegate_core.processes.failure import ProcessStartError
from delegate_core.processes.identity import MARK_VARIABLE, ProcessIdentity
from delegate_core.processes.limits import Limits
from delegate_core.processes.output import OnOutput, Stream
from delegate_core.processes.process import OnStart, Process, run
from delegate_core.processes.specification import ProcessExit, ProcessSpec
from delegate_core.processes.user import ProcessUser

__all__ = [
    "MARK_VARIABLE",
    "Limits",
    "OnOutput",
    "OnStart",
    "Process",
    "ProcessExit",
    "ProcessIdentity",
    "ProcessSpec",
    "ProcessStartError",
    "ProcessUser",
    "Stream",
    "end_all_of",
    "end_leftovers",
    "processes_of",
    "run",
]
