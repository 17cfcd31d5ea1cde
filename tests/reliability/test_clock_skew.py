"""The server's clock is not the runner's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.reliability.runners import started
from tests.reliability.sides import opened, with_log
from tests.reliability.verdicts import CANARY, commands, faults_of, runs

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

DAY = 86400.0


@pytest.mark.parametrize("skew", [-DAY, DAY])
async def test_a_drone_server_whose_clock_is_a_day_off_gets_every_stage_done(tmp_path: Path, skew: float) -> None:
    async with opened("drone", clock=lambda: time.time() + skew) as side, started(tmp_path, side, side.url):
        end = await with_log(side, side.submit(commands(tmp_path, "it"), masks=(CANARY,)))
        assert not faults_of(end, runs(tmp_path, "it"), "done")


@pytest.mark.parametrize("skew", [-DAY, -600.0, 600.0])
async def test_a_manager_whose_clock_is_off_within_a_tokens_life_gets_every_task_done(
    tmp_path: Path, skew: float
) -> None:
    async with opened("harness", clock=lambda: time.time() + skew) as side, started(tmp_path, side, side.url):
        end = await with_log(side, side.submit(commands(tmp_path, "it"), masks=(CANARY,)))
        assert not faults_of(end, runs(tmp_path, "it"), "done")


async def test_a_manager_a_day_ahead_refuses_every_token_and_the_runner_says_why_and_goes_on_when_that_is_mended(
    tmp_path: Path,
) -> None:
    skew = DAY
    async with (
        opened("harness", clock=lambda: time.time() + skew) as side,
        started(tmp_path, side, side.url) as runner,
    ):
        await runner.said("is this machine's clock right?")
        skew = 0.0
        end = await with_log(side, side.submit(commands(tmp_path, "it"), masks=(CANARY,)))
        assert not faults_of(end, runs(tmp_path, "it"), "done"), runner.text
