"""Maintenance: a pause that outlives the process, with a message, and maybe an end of its own."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from delegate_core.errors import SettingsError
from delegate_core.maintenance import Maintenance, MaintenanceFile
from delegate_core.runner import Runner
from delegate_core.runner.readiness import readiness
from delegate_core.testing.bench import Bench
from tests.core.memory_backend import MemoryBackend, MemoryServer

pytestmark = pytest.mark.anyio


async def work() -> str:
    return "done"


async def until(runner: Runner, word: str) -> str:
    with anyio.fail_after(40):
        while True:
            found = runner.snapshot().standing
            if found.word == word:
                return found.reason
            await anyio.sleep(0.02)


async def test_a_runner_in_maintenance_takes_nothing_and_says_so_also_after_a_restart_until_that_is_ended(
    tmp_path: Path,
) -> None:
    server = MemoryServer()
    async with Bench.opened(tmp_path, lambda: MemoryBackend(server)) as bench:
        first = await bench.start({"work": work})
        await until(first.runner, "waiting")
        first.runner.maintain("new disk", by="ops")
        assert await until(first.runner, "maintenance") == "in maintenance by ops: new disk"
        assert readiness(first.runner.snapshot()).brief == "the runner is in maintenance"
        first.runner.resume()
        assert first.runner.state == "paused"
        first.runner.stop()
        await first.ended()

        second = await bench.start({"work": work}, until="paused")
        await until(second.runner, "maintenance")
        task = server.submit("work")
        second.runner.end_maintenance()
        with anyio.fail_after(40):
            while True:
                await anyio.sleep(0.02)
                if second.runner.snapshot().delivered:
                    break
        assert server.tasks[task].result is not None


async def test_maintenance_with_an_end_of_its_own_ends_by_itself(tmp_path: Path) -> None:
    async with Bench.opened(tmp_path, lambda: MemoryBackend(MemoryServer())) as bench:
        started = await bench.start({"work": work})
        await until(started.runner, "waiting")
        started.runner.maintain(seconds=0.05)
        await until(started.runner, "maintenance")
        await until(started.runner, "waiting")
        assert MaintenanceFile(started.runner.state_dir).read() is None


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e12, 1e300, float("inf"), float("nan")])
def test_a_time_that_no_calendar_has_is_refused(seconds: float) -> None:
    with pytest.raises(SettingsError, match="up to ten years"):
        Maintenance.beginning("new disk", by="ops", seconds=seconds)


@pytest.mark.parametrize("until", ["1e300", "1e14", "-1e300"])
def test_a_file_with_a_time_that_no_calendar_has_can_be_read_and_shown(tmp_path: Path, until: str) -> None:
    (tmp_path / "maintenance.json").write_text(f'{{"message": "new disk", "until": {until}}}')
    found = MaintenanceFile(tmp_path).read()
    assert found is None if until.startswith("-") else str(found) == "in maintenance: new disk"


def test_a_message_that_is_not_unicode_is_written_down(tmp_path: Path) -> None:
    MaintenanceFile(tmp_path).write(Maintenance.beginning("new \udcff disk", by="ops", seconds=None))
    assert str(MaintenanceFile(tmp_path).read()) == "in maintenance by ops: new ? disk"


def test_a_file_that_cannot_be_read_counts_as_maintenance(tmp_path: Path) -> None:
    (tmp_path / "maintenance.json").write_text("{")
    found = MaintenanceFile(tmp_path).read()
    assert found is not None
    assert "delegate maintenance off" in str(found)
