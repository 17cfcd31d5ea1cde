"""The process table tells processes apart."""

import os
from dataclasses import replace

from delegate_core.processes.table import pinned, read_entry


def test_a_process_that_got_the_pid_of_another_is_not_held() -> None:
    entry = read_entry(os.getpid())
    assert entry is not None
    with pinned(entry) as held, pinned(replace(entry, start_time=entry.start_time - 1)) as other:
        assert held is not None
        assert other is None


def test_a_process_that_is_gone_is_not_held() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    entry = read_entry(pid)
    os.waitpid(pid, 0)
    assert entry is not None
    assert entry.dead
    with pinned(entry) as held:
        assert held is None
