"""What a killed runner leaves on the machine is gone after the next start, and nothing else is."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import anyio
import pytest

from delegate_core.testing.proxy import FaultProxy, Hold
from tests.reliability.runners import killed, no_processes_of, processes_of, started
from tests.reliability.sides import PATIENCE, SIDES, opened, with_log
from tests.reliability.test_kill_at_commits import KILLER
from tests.reliability.verdicts import RESTARTED

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


def journal(folder: Path) -> Path:
    (file,) = folder.rglob("journal.sqlite")
    return file


@pytest.mark.parametrize("name", SIDES)
async def test_a_child_that_was_forked_and_not_yet_journaled_is_ended_with_all_that_it_forked(
    tmp_path: Path, name: str
) -> None:
    ready = tmp_path / "ready"
    async with opened(name) as side, FaultProxy(side.url) as proxy:
        async with started(tmp_path, side, proxy.url, *KILLER, KILL_AT="process 1 before") as runner:
            task_id = side.submit(["setsid sleep 600 < /dev/null > /dev/null 2>&1 &", f"touch {ready}", "sleep 600"])
            await killed(runner)
        with anyio.fail_after(PATIENCE):
            while not ready.exists():  # noqa: ASYNC110 - an orphan tells nobody
                await anyio.sleep(0.02)
        assert processes_of(tmp_path)  # not the shell, where that printed to a pipe without a reader
        with sqlite3.connect(journal(tmp_path)) as database:
            assert database.execute("SELECT count(*) FROM processes").fetchone() == (0,)
        database.close()
        async with started(tmp_path, side, proxy.url) as runner:
            end = await with_log(side, task_id)
            assert RESTARTED in end.error
            await no_processes_of(tmp_path, besides=[runner.pid])
            folders = [each for each in journal(tmp_path).parent.joinpath("tasks").iterdir() if each.is_dir()]
            assert not folders


async def test_a_process_that_has_got_the_pid_of_a_leftover_lives_on(tmp_path: Path) -> None:
    async with opened("harness") as side, FaultProxy(side.url) as proxy:
        held = Hold(which=lambda request: side.call(request) == "stream-write")
        proxy.plan.add(held)
        async with started(tmp_path, side, proxy.url) as runner:
            task_id = side.submit(["echo begun", "sleep 600"])
            with anyio.fail_after(PATIENCE):
                await held.reached()
            runner.kill()
            await runner.ended()
        async with await anyio.open_process(["sleep", "600"], start_new_session=True) as bystander:
            try:
                reuse_pid(journal(tmp_path), bystander.pid)
                async with started(tmp_path, side, proxy.url) as runner:
                    assert RESTARTED in (await with_log(side, task_id)).error
                    await no_processes_of(tmp_path, besides=[runner.pid])
                assert bystander.returncode is None, "it was ended for having another's pid"
            finally:
                bystander.kill()


def reuse_pid(file: Path, pid: int) -> None:
    """As if the kernel had given the recorded process's pid to another since."""
    with sqlite3.connect(file) as database:
        ((text,),) = database.execute("SELECT identity FROM processes").fetchall()
        identity = json.dumps({**json.loads(text), "pid": pid})
        database.execute("UPDATE processes SET identity = ?", (identity,))
    database.close()
