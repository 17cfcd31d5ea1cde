"""The journal on real files: what is awaited is there, whatever happens to the process."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from delegate_core.errors import StateError
from delegate_core.history import History
from delegate_core.journal import Journal
from delegate_core.mending import mend
from delegate_core.model import Delivery, Entry, Offer, Phase, SessionIdentity, Task, TaskResult
from delegate_core.statefolder import FileIdentity, StateFolder

SESSION = SessionIdentity(server="https://ci.example", account="acme", runner_id="r1", details={"n": 1})


@contextmanager
def opened(path: Path, *, durable: bool = False, history: int = 1000) -> Iterator[Journal]:
    with StateFolder(path) as folder, Journal(folder, durable=durable, history=history, clock=lambda: 7.0) as journal:
        yield journal


@pytest.fixture(params=[False, True], ids=["normal", "durable"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    with opened(tmp_path, durable=request.param) as journal:
        yield journal


async def claimed(journal: Journal, task_id: str = "t", **fields: object) -> int:
    number = await journal.intend(Offer(task_id, "fib", {"offered": True}), SESSION)
    journal.claimed(number, Task.model_validate({"id": task_id, "type": "fib", **fields}))
    return number


def only(entries: list[Entry]) -> Entry:
    assert len(entries) == 1
    return entries[0]


async def test_a_task_is_followed_through_its_phases(journal: Journal) -> None:
    number = await journal.intend(Offer("t", "fib", {"offered": True}), SESSION)
    entry = only(journal.unfinished())
    assert (entry.number, entry.task_id, entry.type, entry.phase) == (number, "t", "fib", Phase.INTENT)
    assert (entry.session, entry.offer, entry.created, entry.claimed) == (SESSION, {"offered": True}, 7.0, None)
    journal.claimed(number, Task(id="t", type="fib", timeout=60, state={"form": "runner"}))
    await journal.started(number)
    entry = only(journal.unfinished())
    assert (entry.phase, entry.timeout, entry.state, entry.started) == (Phase.STARTED, 60, {"form": "runner"}, 7.0)
    await journal.finished(number, TaskResult.succeeded({"n": [1, None, "ü"]}))
    entry = only(journal.unfinished())
    assert (entry.phase, entry.result) == (Phase.FINISHED, TaskResult.succeeded({"n": [1, None, "ü"]}))
    assert journal.owed() == 1
    journal.settled(number, Delivery())
    await journal.intend(Offer("next", "fib"), SESSION)
    assert [entry.task_id for entry in journal.unfinished()] == ["next"]
    assert [entry.phase for entry in journal.recent()] == [Phase.INTENT, Phase.DELIVERED]


async def test_what_cannot_be_delivered_is_kept_with_its_reason(journal: Journal) -> None:
    number = await claimed(journal)
    await journal.finished(number, TaskResult.succeeded())
    journal.settled(number, Delivery(kind="never", reason="the manager cannot parse it"))
    await journal.started(await journal.intend(Offer("next", "fib"), SESSION))
    kept = journal.recent()[1]
    assert (kept.phase, kept.note) == (Phase.UNDELIVERABLE, "the manager cannot parse it")


def files_of(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Mode and content of each file, by name."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return {path.name: (oct(path.stat().st_mode & 0o777), path.read_bytes()) for path in files}


async def test_no_secret_of_a_task_is_in_the_files_which_are_ours_alone(journal: Journal, tmp_path: Path) -> None:
    await journal.started(await claimed(journal, masks=["correct-horse-battery"]))
    files = files_of(tmp_path)
    assert {"journal.sqlite", "lock"} <= files.keys()
    assert all(b"correct-horse" not in content for _, content in files.values())
    assert {mode for mode, _ in files.values()} == {"0o600"}


async def test_writes_of_many_tasks_are_committed_together_and_in_order(journal: Journal) -> None:
    numbers: list[int] = []

    async def intend(name: str) -> None:
        numbers.append(await journal.intend(Offer(name, "fib"), SESSION))

    async with anyio.create_task_group() as group:
        for position in range(50):
            group.start_soon(intend, f"t{position}")
    entries = journal.unfinished()
    assert [entry.task_id for entry in entries] == [f"t{position}" for position in range(50)]
    assert sorted(numbers) == [entry.number for entry in entries]


async def test_processes_are_remembered_until_they_are_gone_or_the_task_is_over(journal: Journal) -> None:
    number = await claimed(journal)
    for identity in ("one", "two", "two"):
        await journal.process_started(number, identity)
    assert journal.processes(number) == ["one", "two"]
    await journal.process_ended(number, "one")
    assert journal.processes(number) == ["two"]
    await journal.finished(number, TaskResult.succeeded())
    assert journal.processes(number) == []


async def test_everything_is_there_after_reopening_and_numbers_go_on(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        instance = journal.instance()
        number = await claimed(journal, state={"v": 2})
        await journal.started(number)
        await journal.state(number, {"v": 3})
        await journal.progressing(number)
        journal.log_stored(number, "the service is down")
    with opened(tmp_path) as journal:
        entry = only(journal.unfinished())
        assert (entry.state, entry.progressed, entry.log) == ({"v": 3}, True, "the service is down")
        assert journal.instance() == instance
        assert await claimed(journal, "u") == number + 1


@pytest.mark.parametrize("durable", [False, True])
async def test_closing_commits_what_nobody_waited_for(tmp_path: Path, durable: bool) -> None:  # noqa: FBT001 - a parameter of the test
    with opened(tmp_path, durable=durable) as journal:
        number = await claimed(journal)
        journal.log_stored(number, "late")
    with opened(tmp_path) as journal:
        assert only(journal.unfinished()).log == "late"


async def test_history_is_bounded_and_logs_go_with_it(tmp_path: Path) -> None:
    with StateFolder(tmp_path) as folder, Journal(folder, history=10) as journal:
        folder.log_folder(1).mkdir(parents=True)
        lost = await claimed(journal, "lost")
        await journal.finished(lost, TaskResult.succeeded())
        journal.settled(lost, Delivery(kind="never", reason="no"))
        for position in range(300):
            number = await claimed(journal, f"t{position}")
            folder.log_folder(number).mkdir(parents=True)
            journal.settled(number, Delivery())
        await claimed(journal, "last")
        phases = [entry.phase for entry in journal.recent(1000)]
        assert phases.count(Phase.DELIVERED) < 10 + 128 + 1
        assert Phase.UNDELIVERABLE in phases, "these stay until somebody looks"
        kept = {str(entry.number) for entry in journal.recent(1000)}
        assert {path.name for path in (tmp_path / "logs").iterdir()} <= kept


async def test_half_a_surrogate_pair_from_a_server_does_not_break_the_journal(journal: Journal) -> None:
    number = await journal.intend(Offer("t\ud800", "fib", "\ud800"), SESSION)
    await journal.finished(number, TaskResult.succeeded())
    journal.settled(number, Delivery(kind="never", reason="\udcff"))
    await journal.intend(Offer("next", "fib"), SESSION)
    assert journal.recent()[1].note == r"\udcff"


# ---------------------------------------------------------------------- who may have it, and in what state


def test_a_second_process_is_refused_and_told_who_has_the_folder(tmp_path: Path) -> None:
    code = f"""
        from pathlib import Path
        from delegate_core.statefolder import StateFolder
        with StateFolder(Path({str(tmp_path)!r})):
            print("locked", flush=True)
            input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "locked\n"
        with pytest.raises(StateError, match=f"in use by process {owner.pid}; stop that runner"):
            StateFolder(tmp_path).__enter__()
        owner.communicate("done\n")
    with StateFolder(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_who_only_looks_who_has_the_folder_keeps_no_runner_from_starting(tmp_path: Path) -> None:
    """`delegate status` has for a moment what a runner has for good."""
    with StateFolder(tmp_path):
        pass
    with (tmp_path / "lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.05, fcntl.flock, [looking, fcntl.LOCK_UN]).start()
        with StateFolder(tmp_path) as started:
            assert started.owner() == str(os.getpid())


def test_a_state_folder_that_cannot_be_made_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StateError, match=r"cannot use the state folder .*: .*; choose another with --state-dir"):
        StateFolder(tmp_path / "file" / "state").__enter__()


def test_a_read_only_file_system_is_named_with_the_cure() -> None:
    """/proc takes no folders, not even from root."""
    with pytest.raises(StateError, match=r"cannot use the state folder /proc/delegate: .*--state-dir"):
        StateFolder(Path("/proc/delegate")).__enter__()


@pytest.mark.parametrize("content", [b"this is not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
async def test_a_damaged_file_is_named_with_the_cure(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.sqlite").write_bytes(content)
    words = r"journal\.sqlite cannot be used.*`delegate outbox mend --state-dir .*` saves"
    with pytest.raises(StateError, match=words), opened(tmp_path):
        pass


def test_a_file_whose_runner_has_just_begun_to_start_holds_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").touch()
    assert (History(tmp_path).outbox(), History(tmp_path).instance()) == ([], "")


def test_a_place_that_cannot_be_looked_at_is_named_with_the_cure(tmp_path: Path) -> None:
    """As another user's folder, which root would see all the same."""
    for use in (History, mend):
        with pytest.raises(StateError, match=r"cannot look at the journal .*: File name too long; name another with"):
            use(tmp_path / ("x" * 300))


async def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").mkdir()
    with pytest.raises(StateError, match=r"journal\.sqlite cannot be used"), opened(tmp_path):
        pass


async def test_a_damaged_row_is_named_and_not_a_traceback(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        await claimed(journal)
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("UPDATE entries SET phase = 'confused'")
    connection.close()
    with (
        opened(tmp_path) as journal,
        pytest.raises(StateError, match="cannot be used: 'confused' is not a valid Phase"),
    ):
        journal.unfinished()


async def test_a_newer_version_is_refused_with_the_cure(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="has version 99, this program reads 2; use the program that wrote it"):
        Journal(StateFolder(tmp_path)).__enter__()


async def test_a_file_that_is_gone_while_its_last_changes_are_there_is_not_begun_anew(tmp_path: Path) -> None:
    """An empty file in its place would have SQLite remove them."""
    with opened(tmp_path):
        pass
    (tmp_path / "journal.sqlite").rename(tmp_path / "elsewhere")
    (tmp_path / "journal.sqlite-wal").write_bytes(b"changes")
    for use in (lambda: Journal(StateFolder(tmp_path)).__enter__(), lambda: History(tmp_path), lambda: mend(tmp_path)):
        with pytest.raises(
            StateError, match=r"is gone, and journal\.sqlite-wal .* put the file back beside it, or remove"
        ):
            use()
    assert (tmp_path / "journal.sqlite-wal").read_bytes() == b"changes"
    assert not (tmp_path / "journal.sqlite").exists()


# ---------------------------------------------------------------------- kill and full disk


_WRITER = """
    import anyio, sys
    from pathlib import Path
    from delegate_core.journal import Journal, JournalFull
    from delegate_core.statefolder import StateFolder
    from delegate_core.model import Offer, SessionIdentity, Task, TaskResult

    async def main():
        session = SessionIdentity(server="s", account="a", runner_id="r")
        with StateFolder(Path(sys.argv[1])) as folder, Journal(folder) as journal:
            for position in range(1_000_000):
                number = await journal.intend(Offer(f"t{position}", "fib"), session)
                journal.claimed(number, Task(id=f"t{position}", type="fib"))
                await journal.started(number)
                await journal.finished(number, TaskResult.succeeded(position))
                print(number, flush=True)

    anyio.run(main)
"""


def test_a_killed_process_loses_nothing_that_was_awaited(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_WRITER), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        awaited = [int(writer.stdout.readline()) for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        awaited += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    with opened(tmp_path) as journal:
        entries = {entry.number: entry for entry in journal.unfinished()}
    assert awaited == list(range(1, len(awaited) + 1))
    assert all(entries[number].phase is Phase.FINISHED for number in awaited)
    assert all(entries[number].result == TaskResult.succeeded(number - 1) for number in awaited)
    assert len(entries) <= len(awaited) + 1


_FULL = """
    import anyio, resource, signal, sys
    from pathlib import Path
    from delegate_core.errors import StateError
    from delegate_core.journal import Journal, JournalFull
    from delegate_core.statefolder import StateFolder
    from delegate_core.model import Delivery, Offer, SessionIdentity, Task, TaskResult

    async def main():
        session = SessionIdentity(server="s", account="a", runner_id="r")
        with StateFolder(Path(sys.argv[1])) as folder, Journal(folder) as journal:
            number = await journal.intend(Offer("t", "fib"), session)
            await journal.started(number)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
            await journal.finished(number, TaskResult.succeeded("x" * 1_000_000))
            print(journal.trouble)
            try:
                await journal.intend(Offer("u", "fib"), session)
            except JournalFull as error:
                print(error)
            changed = anyio.Event()
            journal.watch(changed.set)
            if sys.argv[2] == "room":
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                await changed.wait()
                print(journal.trouble or "well", journal.owed())

    anyio.run(main)
"""


@pytest.mark.parametrize("room", [True, False])
def test_a_full_disk_is_said_and_what_it_did_not_take_is_written_when_there_is_room(
    tmp_path: Path,
    room: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_FULL), str(tmp_path), "room" if room else "none"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert all("cannot be written" in line and "free some disk space" in line for line in lines[:2])
    assert lines[2:] == (["well 1"] if room else [])
    with opened(tmp_path) as journal:
        entry = only(journal.recent())
    assert entry.task_id == "t", "the intent that found no room has left nothing"
    assert entry.phase is (Phase.FINISHED if room else Phase.STARTED)
    assert bool(entry.result) is room


async def test_a_file_of_the_version_before_is_read_and_brought_up(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        number = await journal.intend(Offer("t", "fib"), SESSION)
        await journal.started(number)
        await journal.finished(number, TaskResult.succeeded(1))
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.executescript(
            "ALTER TABLE entries DROP COLUMN tries; ALTER TABLE entries DROP COLUMN fault; PRAGMA user_version = 1;"
        )
    connection.close()

    assert only(History(tmp_path).outbox()).tries == 0, "read as it is, beside an older runner"
    with opened(tmp_path) as journal:
        journal.undelivered(number, "no route")
    entry = only(History(tmp_path).outbox())
    assert (entry.result, entry.tries, entry.fault) == (TaskResult.succeeded(1), 1, "no route")


async def test_a_file_that_is_damaged_while_it_is_used_takes_no_new_task_and_holds_nobody_up(tmp_path: Path) -> None:
    told: list[str] = []
    with opened(tmp_path) as journal:
        journal.watch(lambda: told.append(str(journal.failure)))
        number = await journal.intend(Offer("t", "fib"), SESSION)
        with sqlite3.connect(tmp_path / "journal.sqlite") as other:
            other.execute("DROP TABLE entries")
        other.close()
        await journal.finished(number, TaskResult.succeeded(1))
        with pytest.raises(StateError, match="no such table"):
            await journal.intend(Offer("t", "fib"), SESSION)
        with pytest.raises(StateError, match="no such table"):
            await journal.started(number)
    assert len(told) == 1
    assert "delegate outbox mend" in told[0]


async def test_a_folder_that_is_removed_under_a_runner_ends_it_also_where_another_has_made_it_anew(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "first") as journal:
        await journal.examine()
        assert journal.failure is None
        (tmp_path / "first").rename(tmp_path / "removed")
        with opened(tmp_path / "first"):
            await journal.examine()
        assert "was removed while a runner had it, or another is in its place; start the runner" in str(journal.failure)


def test_what_a_successor_has_put_in_place_of_a_runners_file_is_not_removed_with_that(tmp_path: Path) -> None:
    """As its control socket, or the file with the address of its status."""
    file = tmp_path / "control"
    file.write_text("ours")
    ours = FileIdentity(file)
    file.rename(tmp_path / "elsewhere")
    file.write_text("the successor's")
    ours.remove()
    assert file.read_text() == "the successor's"
    FileIdentity(file).remove()
    assert not file.exists()


def test_a_relative_state_folder_stays_where_it_is_when_the_current_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task's processes run elsewhere, and find their script, HOME and TMPDIR by its path."""
    monkeypatch.chdir(tmp_path)
    assert StateFolder(Path("state")).task_folder(1) == tmp_path / "state" / "tasks" / "1"


def test_a_new_or_empty_state_folder_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o755)
    for name in ("new", "empty"):
        with StateFolder(tmp_path / name) as folder:
            assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_holds_something_else_keeps_its_mode(tmp_path: Path) -> None:
    """As does a /tmp that was given by mistake."""
    tmp_path.chmod(0o755)
    (tmp_path / "something else").touch()
    with StateFolder(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o755
