"""Looks at the process table that are shared by all who want one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from delegate_core.processes.identity import MARK_VARIABLE
from delegate_core.processes.snapshot import take_snapshot
from delegate_core.processes.table import Entry, read_entry, read_table

SLEEP = (sys.executable, "-c", "input()")
LOOKERS = 12


def started(mark: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(SLEEP, stdin=subprocess.PIPE, env={MARK_VARIABLE: mark} if mark else {})


def test_whoever_asks_sees_what_was_there_when_they_asked_however_many_ask_at_once() -> None:
    """A look that somebody else had begun before would miss it."""
    together = Barrier(LOOKERS)

    def start_and_look(number: int) -> bool:
        together.wait(30)
        with started(f"mark-{number}") as process:
            entry = read_entry(process.pid)
            assert entry is not None
            snapshot = take_snapshot(entry.start_time)
            process.communicate(b"\n")
        return snapshot.entries.get(process.pid) == entry and snapshot.marks[process.pid] == f"mark-{number}"

    with ThreadPoolExecutor(LOOKERS) as threads:
        assert all(threads.map(start_and_look, range(LOOKERS)))


_SHORT_OF_DESCRIPTORS = """
import resource, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from delegate_core.processes.snapshot import take_snapshot

take_snapshot()
process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
with ThreadPoolExecutor(12) as threads:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    looks = [threads.submit(take_snapshot) for _ in range(200)]
    failed = [look for look in looks if look.exception() is not None]
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
print(len(failed) > 0, all(process.pid in look.result().entries for look in looks if look not in failed))
process.communicate(b"\\n")
"""


def test_nobody_is_given_an_older_look_because_a_newer_one_has_failed() -> None:
    """Who waits for the look of another, for which there is no descriptor left, would miss what started meanwhile."""
    line = [sys.executable, "-c", _SHORT_OF_DESCRIPTORS]
    done = subprocess.run(line, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_nobody_gets_less_than_they_want_because_somebody_else_wants_less() -> None:
    with started() as old, started() as new:
        entries = {pid: read_entry(pid) for pid in (old.pid, new.pid)}
        oldest = min(entry.start_time for entry in entries.values() if entry)
        with ThreadPoolExecutor(LOOKERS) as threads:
            looks = [threads.submit(take_snapshot, since) for since in (oldest, oldest + 10**9) * (LOOKERS // 2)]
        for process in (old, new):
            process.communicate(b"\n")
    assert all({old.pid, new.pid} <= look.result().entries.keys() for look in looks[::2])


def test_a_second_look_leaves_out_what_is_older_and_still_finds_it_when_it_is_asked_for() -> None:
    with started() as process:
        entry = read_entry(process.pid)
        assert entry is not None
        found = [process.pid in read_table(entry.start_time + later) for later in (0, 1, 1, 0)]
        process.communicate(b"\n")
    assert found == [True, False, False, True]


def test_what_starts_while_the_table_is_read_is_in_it_too() -> None:
    """A program that moves on from process to process would never be seen otherwise."""
    late: list[subprocess.Popen[bytes]] = []

    def note(_: Entry) -> None:
        if not late:
            late.append(started())

    table = read_table(0, note)
    for process in late:
        process.communicate(b"\n")
    assert [process.pid in table for process in late] == [True]
