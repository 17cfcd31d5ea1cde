"""Exec stages of a real runner at the embedded server: what a build page shows in the end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from delegate_core.model import Outcome
from delegate_core.testing.bench import PATIENCE
from delegate_drone.server import EmbeddedDrone, Fault, FaultKind
from tests.drone.containers.bench import bench_at, ended, log, submit

_HEAD = "kind: pipeline\ntype: exec\nname: e\nclone: {disable: true}\nsteps:\n"


async def test_a_secret_that_no_source_has_is_named_before_the_first_output(
    drone: EmbeddedDrone, tmp_path: Path
) -> None:
    text = f"{_HEAD}- name: a\n  environment: {{TOKEN: {{from_secret: token}}}}\n  commands: ['echo \"<$TOKEN>\"']\n"
    text += "- {name: b, commands: [echo second]}\n"
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({})
        stage = await ended(drone, submit(drone, text))
    assert stage.status == "success"
    assert log(drone, stage, "a").splitlines()[0] == (
        "warning: no source has the secret token for this build: it is empty"
    )
    assert "<>" in log(drone, stage, "a")
    assert "warning" not in log(drone, stage, "b")


async def test_a_secret_is_hidden_in_every_step_whatever_it_looks_like(drone: EmbeddedDrone, tmp_path: Path) -> None:
    text = f"{_HEAD}- name: a\n  environment: {{TOKEN: {{from_secret: token}}}}\n"
    text += "  commands: ['echo \"$TOKEN\" | tee file', 'base64 file', 'head -c 9 file; sleep 0.2; tail -c +10 file']\n"
    text += "- {name: b, commands: [cat file]}\n"
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({})
        stage = await ended(drone, submit(drone, text, secrets={"token": "invented-canary"}))
    shown = log(drone, stage, "a") + log(drone, stage, "b")
    assert stage.status == "success"
    assert "canary" not in shown
    assert "aW52ZW50ZWQt" not in shown
    assert shown.count("******") == 4


async def test_a_stage_over_its_time_says_so_on_the_build_page(drone: EmbeddedDrone, tmp_path: Path) -> None:
    """The repository's timeout is in minutes; the runner ends the stage a little before."""
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({}, default_timeout=2.0)
        text = f"{_HEAD}- {{name: a, commands: [echo begun, sleep 60]}}\n- {{name: b, commands: [echo never]}}\n"
        stage = await ended(drone, submit(drone, text, settings={"timeout": 0}))
    assert (stage.status, stage.error) == ("killed", "timed out after 1.8s")
    assert [(step.status, step.exit_code) for step in stage.steps] == [("killed", 137), ("skipped", 0)]
    assert "begun" in log(drone, stage, "a")


@pytest.mark.parametrize("kind", [FaultKind.LOSE_REQUEST, FaultKind.STATUS])
async def test_an_upload_that_fails_at_first_is_tried_again_and_the_stage_stays_green(
    drone: EmbeddedDrone, tmp_path: Path, kind: FaultKind
) -> None:
    drone.parts.faults.add(Fault("upload", kind, times=1))
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({})
        stage = await ended(drone, submit(drone, f"{_HEAD}- {{name: a, commands: [echo stored]}}\n"))
    assert (stage.status, stage.error) == ("success", "")
    assert "stored" in log(drone, stage)


async def test_of_a_long_log_the_end_is_kept_and_the_cut_is_said(drone: EmbeddedDrone, tmp_path: Path) -> None:
    commands = '["seq 1 30000"]'
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({}, log_limit=64 * 1024)
        stage = await ended(drone, submit(drone, f"{_HEAD}- {{name: a, commands: {commands}}}\n"))
    lines = log(drone, stage).splitlines()
    assert stage.status == "success"
    assert lines[-1] == "30000"
    assert re.fullmatch(r"\[\d+,\d+ lines are missing here: the log is larger than its limit\]", lines[0])
    assert 32 * 1024 <= sum(map(len, lines)) <= 64 * 1024


async def test_a_build_that_is_cancelled_after_a_reload_ends_the_stage_that_was_taken_before(
    drone: EmbeddedDrone, tmp_path: Path
) -> None:
    """A reload makes a new session: the watches of the earlier one have to go on with it."""
    async with bench_at(drone, tmp_path) as bench:
        started = await bench.start({}, capacity=1)
        stage_id = submit(drone, f"{_HEAD}- {{name: a, commands: [sleep 600]}}\n")
        build_id = drone.stage(stage_id).build_id
        await drone.wait_for(lambda parts: build_id in parts.canceller.watched, PATIENCE)
        await started.runner.reload(started.runner.settings.model_copy(update={"capacity": 2}))
        await drone.wait_for(lambda parts: parts.calls["ping"] >= 2, PATIENCE)
        await drone.wait_for(lambda parts: build_id in parts.canceller.watched, PATIENCE)
        drone.cancel(build_id)
        await started.seen.wait(lambda seen: str(stage_id) in seen.finished)
    assert started.seen.finished[str(stage_id)].outcome is Outcome.CANCELLED
