"""A runner that leaves by itself or for the next one, at the moment at which a claim or a result is on its way."""

from __future__ import annotations

import signal
from pathlib import Path

import anyio
import pytest

from delegate_core.testing.proxy import Fault, FaultProxy, Hold, Mishap, Request
from tests.reliability.runners import Running, started
from tests.reliability.sides import PATIENCE, Side, opened

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

CLAIM = {"harness": "acquire", "drone": "accept"}


async def reload(runner: Running, folder: Path, setting: str, value: str) -> None:
    """Change a setting of the running runner, and wait until it goes by it."""
    (folder / "delegate.toml").write_text(f'{setting} = "{value}"\n')
    runner.signal(signal.SIGHUP)
    await runner.said(f"changed: {setting}")


async def claiming(side: Side, proxy: FaultProxy) -> tuple[str, Hold]:
    """A task that the server has given to the runner, which does not know it yet."""
    hold = Hold(which=lambda request: side.call(request) == CLAIM[side.name], answered=True)
    proxy.plan.add(hold)
    task = side.submit(["echo hello"])
    with anyio.fail_after(PATIENCE):
        await hold.reached()
    return task, hold


async def test_a_runner_that_has_run_long_enough_runs_what_it_is_claiming_and_takes_nothing_more(
    tmp_path: Path,
) -> None:
    async with opened("harness") as side, FaultProxy(side.url) as proxy, started(tmp_path, side, proxy.url) as runner:
        await runner.said("running")
        task, hold = await claiming(side, proxy)
        await reload(runner, tmp_path, "max_uptime", "10ms")
        await runner.said("it has run for 10ms")
        late = side.submit(["echo late"])
        hold.release()
        assert await runner.ended() == 0, runner.text
        end = await side.ended(task)
        assert (end.succeeded, end.finals, end.complaints) == (True, 1, ()), runner.text
        assert not side.is_claimed(late)


async def test_a_runner_is_not_idle_while_it_claims_and_leaves_when_the_task_is_delivered(tmp_path: Path) -> None:
    async with opened("drone") as side, FaultProxy(side.url) as proxy, started(tmp_path, side, proxy.url) as runner:
        await runner.said("running")
        task, hold = await claiming(side, proxy)
        await reload(runner, tmp_path, "max_idle", "10ms")
        hold.release()
        assert await runner.ended() == 0, runner.text
        end = await side.ended(task)
        assert (end.succeeded, end.finals, end.complaints) == (True, 1, ()), runner.text
    assert runner.text.index("succeeded") < runner.text.index("nothing to do for 10ms")


async def test_an_upgrade_waits_for_the_one_before_and_delivers_what_that_one_could_not(tmp_path: Path) -> None:
    async with opened("harness") as side, FaultProxy(side.url) as proxy:
        seen: set[str] = set()

        def is_refused(request: Request) -> bool:
            seen.add(side.call(request))
            return side.call(request) == "result"

        proxy.plan.add(Fault(which=is_refused, mishap=Mishap.STATUS, status=503, times=None))
        async with started(tmp_path, side, proxy.url, "--drain-timeout", "500ms") as first:
            await first.said("running")
            task = side.submit(["echo hello"])
            await first.said("succeeded")
            async with started(tmp_path, side, proxy.url, "--lock-timeout", "100ms") as impatient:
                assert await impatient.ended() == 6
            assert f"process {first.pid} still has the state folder" in first.text
            assert "after 100ms; see its console, stop it, or give this one a longer --lock-timeout" in first.text
            assert f"if it hangs, `kill -9 {first.pid}` loses nothing" in first.text
            async with started(tmp_path, side, proxy.url, "--lock-timeout", "50s") as second:
                await second.said("waiting up to 50s for the state folder")
                second.signal(signal.SIGHUP)  # as `pkill -HUP delegate` does, which means the first
                first.signal(signal.SIGTERM)
                assert await first.ended() == 8, first.text
                assert "unregister" not in seen, "the server would have failed the task"
                proxy.plan.clear()
                end = await side.ended(task)
                assert (end.succeeded, end.finals, end.complaints) == (True, 1, ()), second.text
                second.signal(signal.SIGTERM)
                assert await second.ended() == 0, second.text
