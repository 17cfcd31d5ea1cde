"""``delegate health``: the command as a process, beside a runner whose status is served."""

from __future__ import annotations

from pathlib import Path

from tests.integration.command import Command
from tests.status.observed import observed


async def test_it_is_alive_and_ready_and_says_so_by_its_exit_status(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        await it.state("running")
        alive = await Command(tmp_path)("health", DELEGATE_STATE_DIR=str(it.runner.state_dir))
        ready = await Command(tmp_path)("health", "--ready", it.address.url)
    assert (alive.code, alive.out) == (0, "alive\n"), alive.err
    assert (ready.code, ready.out) == (0, "ready: waiting\n"), ready.err


async def test_a_paused_runner_is_alive_and_not_ready(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        await it.state("running")
        await it.order("/pause", {"reason": "new disk"})
        await it.state("paused")
        alive = await Command(tmp_path)("health", it.address.url)
        ready = await Command(tmp_path)("health", "--ready", it.address.url)
    assert alive.code == 0, alive.err
    assert ready.code == 1
    assert "paused" in ready.out


async def test_without_a_runner_it_is_not_well_and_says_why(tmp_path: Path) -> None:
    nowhere = await Command(tmp_path)("health", "--state-dir", str(tmp_path))
    nobody = await Command(tmp_path)("health", "http://127.0.0.1:9")
    assert nowhere.code == nobody.code == 1
    assert "no runner with the state folder" in nowhere.err
    assert "does not answer" in nobody.err
    assert "Traceback" not in nowhere.err + nobody.err
