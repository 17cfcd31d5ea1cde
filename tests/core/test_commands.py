"""The operator's own commands before and after each task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.markers import hookimpl
from delegate_core.model import Offer, Outcome, Task, TaskResult
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted, echo, hold


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.begun = anyio.Event()

    @hookimpl
    def task_logged(self, line: Any) -> None:
        self.lines.append(line.text)
        self.begun.set()


async def fail(data: Any) -> None:
    raise ValueError("with hunter2 in it")


HANDLERS: dict[str, Any] = {"echo": echo, "fail": fail, "hold": hold}


async def run(backend: Scripted, bench: Bench, kind: str, **settings: Any) -> tuple[TaskResult, list[str]]:
    log = Log()
    backend.on_claim = lambda offer, again: Task(
        id=offer.task_id, type=offer.type, data="data", masks=("hunter2",), timeout=settings.pop("granted", None)
    )
    await bench.start(HANDLERS, plugins=(log,), **settings)
    await backend.offer(kind, "t-1")
    return await backend.result("t-1"), log.lines


async def test_both_are_told_of_the_task_and_the_one_after_of_its_end(
    backend: Scripted, bench: Bench, tmp_path: Path
) -> None:
    after = f'echo "$DELEGATE_TASK_OUTCOME|$DELEGATE_TASK_ERROR|$(cat mine)" > {tmp_path}/after'
    result, lines = await run(
        backend, bench, "fail", before_task='echo "$DELEGATE_TASK_ID $DELEGATE_TASK_TYPE" | tee mine', after_task=after
    )
    assert result.outcome is Outcome.FAILED
    assert lines[0] == "t-1 fail"
    assert (tmp_path / "after").read_text() == "failed|ValueError: with ****** in it|t-1 fail\n"


async def test_nothing_of_the_runners_environment_is_in_theirs(
    backend: Scripted, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_SECRET", "of the runner")
    _, lines = await run(backend, bench, "echo", before_task="env | cut -d= -f1 | sort | xargs")
    assert "OWN_SECRET" not in lines[0]
    assert "DELEGATE_TASK_ID DELEGATE_TASK_TYPE" in lines[0]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("echo no; exit 3", "ended with status 3"),
        ("kill -9 $$", "was ended by signal 9"),
        ("sleep 60", "took longer than 300ms and was ended"),
    ],
)
async def test_the_one_before_can_refuse_a_task_and_the_one_after_runs_all_the_same(
    backend: Scripted, bench: Bench, tmp_path: Path, command: str, error: str
) -> None:
    after = f"echo $DELEGATE_TASK_OUTCOME > {tmp_path}/after"
    limit = 0.3 if command.startswith("sleep") else 20
    result, _ = await run(
        backend, bench, "echo", before_task=command, after_task=after, task_command_timeout=limit, grace=0.1
    )
    assert (result.outcome, result.error) == (Outcome.REJECTED, f"rejected: the command before each task {error}")
    assert (tmp_path / "after").exists()


async def test_the_one_after_changes_no_result_and_its_failure_is_in_the_log(backend: Scripted, bench: Bench) -> None:
    result, lines = await run(backend, bench, "echo", after_task="exit 4")
    assert (result.outcome, result.data) == (Outcome.SUCCEEDED, "data")
    assert lines == ["warning: the command after each task ended with status 4"]


async def test_their_output_is_masked_and_bounded(backend: Scripted, bench: Bench) -> None:
    _, lines = await run(
        backend, bench, "echo", before_task="echo hunter2; yes | head -c 100000", task_command_output=1000
    )
    assert lines[0] == "******"
    assert lines[-1] == "[the rest of this command's output is left out]"
    assert sum(map(len, lines)) < 1100


async def test_a_cancelled_task_ends_the_one_before_and_tells_the_one_after(
    backend: Scripted, bench: Bench, tmp_path: Path
) -> None:
    log = Log()
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type)
    after = f"echo $DELEGATE_TASK_OUTCOME > {tmp_path}/after"
    started = await bench.start(HANDLERS, plugins=(log,), before_task="echo begun; sleep 60", after_task=after)
    await backend.offer("echo", "t-1")
    with anyio.fail_after(40):
        await log.begun.wait()
    backend.cancel("t-1")
    assert (await backend.result("t-1")).outcome is Outcome.CANCELLED
    assert (tmp_path / "after").read_text() == "cancelled\n"
    assert started.seen.finished["t-1"].outcome is Outcome.CANCELLED


async def test_a_task_that_ran_into_its_deadline_leaves_time_for_the_report(
    backend: Scripted, bench: Bench, tmp_path: Path
) -> None:
    def claim(offer: Offer, again: bool) -> Task:  # noqa: FBT001 - the hook's
        return Task(id=offer.task_id, type=offer.type, timeout=1.0)

    log = Log()
    backend.on_claim = claim
    after = f"echo $DELEGATE_TASK_OUTCOME > {tmp_path}/after; sleep 60"
    await bench.start(HANDLERS, plugins=(log,), after_task=after, grace=0.1)
    await backend.offer("hold", "t-1")
    assert (await backend.result("t-1")).outcome is Outcome.TIMED_OUT
    assert (tmp_path / "after").read_text() == "timed_out\n"
    assert log.lines == ["warning: the command after each task took longer than 1s and was ended"]


async def test_the_one_after_is_run_by_the_next_start_for_a_task_that_a_crash_ended(
    backend: Scripted, bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    after = (
        f'echo "$DELEGATE_TASK_ID $DELEGATE_TASK_TYPE $DELEGATE_TASK_OUTCOME $DELEGATE_TASK_ERROR"; pwd > {tmp_path}/in'
    )
    caplog.set_level("INFO")
    started = await bench.start(HANDLERS, after_task=after)
    await backend.offer("hold", "t-1")
    await started.seen.wait(lambda seen: seen.started)
    await started.crash()
    assert not (tmp_path / "in").exists()
    await bench.start(HANDLERS, after_task=after)
    assert (await backend.result("t-1")).error == "runner restarted"
    assert "task t-1: after_task: t-1 hold failed runner restarted" in caplog.text
    assert not await anyio.Path((tmp_path / "in").read_text().strip()).exists()
