"""Tasks that run steps: each step's log goes its own way, and is there before its end is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from delegate_core import TaskContext
from delegate_core.history import History
from delegate_core.logs import LogLine, LogSink, Spool, Stored
from delegate_core.markers import hookimpl
from delegate_core.model import Entry, Finish, Outcome, Session, StepEnded, StepReport, Task, TaskResult
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted

pytestmark = pytest.mark.anyio


@dataclass
class Sink(LogSink):
    backend: StepBackend
    stream: str

    async def write(self, lines: Sequence[LogLine]) -> None:
        """Only the whole matters here."""

    async def finish(self, spool: Spool) -> Stored:
        if self.stream in self.backend.refused:
            return Stored(False, "the store is full")
        self.backend.events.append((self.stream, [line.text for line in spool.read()]))
        return Stored(True)


@dataclass
class StepBackend(Scripted):
    """A backend that keeps a log for each step, and is told of their ends."""

    events: list[object] = field(default_factory=list)
    refused: frozenset[str] = frozenset()
    spooled: Mapping[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Scripted.__init__(self)

    @hookimpl
    async def open_log(self, session: Session, task: Task, stream: str) -> LogSink:
        return Sink(self, stream)

    @hookimpl
    async def progress(self, task: Task, event: object) -> object:
        if isinstance(event, StepEnded):
            self.events.append(f"{event.step.name} ended")
        return task.state

    @hookimpl
    async def recover(self, session: Session, entry: Entry) -> Finish:
        self.spooled = {name: [line.text for line in Spool.open(path).read()] for name, path in entry.streams.items()}
        return Finish(TaskResult.lost_in_crash())


async def two_steps(context: TaskContext) -> None:
    for name in ("build", "test / the rest"):
        log = context.stream(name)
        log.write(b"hello from ")
        log.write(f"{name}\n")
        log.line("s3cret-value")
        await log.finish()
        await context.progress(StepEnded(StepReport(1, name, "success")))


async def test_each_step_has_a_log_of_its_own_that_is_stored_before_its_end_is_told(tmp_path: Path) -> None:
    backend = StepBackend()
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        await bench.start({"steps": two_steps})
        backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type, masks=("s3cret-value",))
        await backend.offer("steps")
        assert (await backend.result()).outcome is Outcome.SUCCEEDED
    assert backend.events == [
        ("build", ["hello from build", "******"]),
        "build ended",
        ("test / the rest", ["hello from test / the rest", "******"]),
        "test / the rest ended",
    ]


async def test_a_steps_log_that_is_not_stored_fails_nothing_and_the_journal_says_why(tmp_path: Path) -> None:
    backend = StepBackend(refused=frozenset({"build"}))
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        await bench.start({"steps": two_steps})
        await backend.offer("steps")
        assert (await backend.result()).outcome is Outcome.SUCCEEDED
    history = History(tmp_path / "bench")
    (entry,) = history.entries(1)
    assert entry.log == "build: the store is full"
    steps = {name: [line.text for line in lines] for name, _, lines in history.steps(entry)}
    assert steps["build"] == ["hello from build", "s3cret-value"]
    assert list(steps) == ["build", "test / the rest"]


async def test_what_steps_had_printed_before_a_crash_is_there_for_the_recovery(tmp_path: Path) -> None:
    printed = anyio.Event()
    name = "a very long name " * 20

    async def hang(context: TaskContext) -> None:
        context.stream(name).line("half way")
        printed.set()
        await anyio.sleep_forever()

    backend = StepBackend()
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        first = await bench.start({"hang": hang})
        await backend.offer("hang")
        await printed.wait()
        await first.crash()
        await bench.start({"hang": hang})
        assert (await backend.result()).error == "runner restarted"
    ((found, lines),) = backend.spooled.items()
    assert name.startswith(found[:100])
    assert lines == ["half way"]
