"""The runner is killed with ``kill -9`` at every commit of its journal in a task's life, and started again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.testing.proxy import FaultProxy
from tests.reliability.runners import killed, no_processes_of, started
from tests.reliability.sides import PATIENCE, opened, with_log
from tests.reliability.verdicts import CANARY, commands, faults_of, runs

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

KILLER = ("--plugin", "tests.reliability.killer")

COMMITS = {
    "harness": (
        *("session 1", "claimed 1", "process 1", "process-gone 1"),
        *("finished 1", "log 1", "settled 1"),
    ),
    "drone": (
        *("session 1", "claimed 1", "progressing 1", "state 1", "state 2"),
        *("progressing 2", "state 3", "state 4", "process 1", "process-gone 1", "log 1"),
        *("progressing 3", "progressing 4", "state 5", "state 6"),
        *("progressing 5", "state 7", "state 8", "process 2", "process-gone 2", "log 2"),
        *("progressing 6", "state 9", "state 10"),
        *("finished 1", "state 11", "state 12", "settled 1"),
    ),
}
"""Every commit of one task's life, by one of the statements in it."""

STEPS_UNSEEN = ("drone", "state 2", "before")
"""The server has begun the stage, and no call ever tells the ids of its steps again: they stay pending there."""

BEGINS, ENDS = ("claimed 1", "after"), ("finished 1", "after")


def expected(side: str, commit: str, when: str) -> str:
    """``done`` before the task has started and when its result is known; ``restarted`` in between.

    A Harness task's log is sent beside its report, so what became of it may be recorded before the result or after.
    """
    if (side, commit) == ("harness", "log 1"):
        return "either"
    order = [(each, moment) for each in COMMITS[side] for moment in ("before", "after")]
    at = order.index((commit, when))
    return "restarted" if order.index(BEGINS) <= at < order.index(ENDS) else "done"


SHARE = {
    *("session 1", "claimed 1", "progressing 1", "state 2", "process 1", "process-gone 1"),
    *("log 1", "progressing 6", "finished 1", "state 12", "settled 1"),
}
"""Where the runner is killed at each change of the program; at all the others with ``--exhaustive``."""


def chosen(side: str, commit: str, when: str) -> Any:
    """One case of the matrix."""
    always = commit in SHARE and (when == "before" or commit in {"claimed 1", "finished 1"})
    return pytest.param(side, commit, when, marks=() if always else pytest.mark.exhaustive)


EVERY = [
    chosen(side, commit, when)
    for side, commits in COMMITS.items()
    for commit in commits
    for when in ("before", "after")
]


@pytest.mark.parametrize(("name", "commit", "when"), EVERY)
async def test_a_runner_killed_at_a_commit_owes_one_final_report(
    tmp_path: Path, name: str, commit: str, when: str
) -> None:
    async with opened(name) as side, FaultProxy(side.url) as proxy:
        async with started(tmp_path, side, proxy.url, *KILLER, KILL_AT=f"{commit} {when}") as runner:
            task_id = side.submit(commands(tmp_path, "it"), masks=(CANARY,))
            await killed(runner)
        async with started(tmp_path, side, proxy.url) as runner:
            end = await with_log(side, task_id, partial(runs, tmp_path, "it"))
            unseen = (name, commit, when) == STEPS_UNSEEN
            found = faults_of(end, runs(tmp_path, "it"), expected(name, commit, when), unseen_steps=unseen)
            assert not found, f"{found}\n{runner.text}"
            await no_processes_of(tmp_path, besides=[runner.pid])


@pytest.mark.parametrize("name", sorted(COMMITS))
async def test_the_matrix_has_every_commit_of_a_tasks_life(tmp_path: Path, name: str) -> None:
    log = tmp_path / "commits"
    async with opened(name) as side, started(tmp_path, side, side.url, *KILLER, KILL_LOG=str(log)):
        await side.ended(side.submit(commands(tmp_path, "it"), masks=(CANARY,)))
        with anyio.fail_after(PATIENCE):
            while "settled" not in log.read_text():  # noqa: ASYNC110 - the runner tells nobody
                await anyio.sleep(0.02)
    batches = [{each.replace(":", " ") for each in line.split()} for line in log.read_text().splitlines()]
    missing = [batch for batch in batches if not batch & set(COMMITS[name])]
    assert not missing, "these commits are not in the matrix"
