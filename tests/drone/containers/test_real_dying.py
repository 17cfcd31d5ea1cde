"""A runner that dies or loses its engine while containers run."""

from __future__ import annotations

import signal
from pathlib import Path

import anyio
import pytest

from delegate_core.testing.bench import PATIENCE
from delegate_drone.server import EmbeddedDrone
from tests.drone.containers.bench import ended, log, submit
from tests.drone.containers.conftest import RealEngine
from tests.drone.containers.test_real_stages import gone, one_step
from tests.drone.local.command import Command as Exec
from tests.integration.command import Command

RUN = ("run", "--backend", "drone", "--console", "plain")


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def settings(drone: EmbeddedDrone, engine: RealEngine) -> dict[str, str]:
    return {
        "DRONE_RPC_HOST": drone.url,
        "DRONE_RPC_SECRET": drone.keys.rpc,
        "DRONE_RUNNER_NAME": "one",
        "DOCKER_HOST": engine.host,
    }


async def test_after_kill_9_nothing_is_left_on_the_engine_and_the_stage_has_ended(
    drone: EmbeddedDrone, engine: RealEngine, command: Command
) -> None:
    service = f"services:\n- {{name: s, image: '{engine.image}', commands: [ sleep 1000 ]}}\n"
    volumes = "volumes: [ {name: v, temp: {}} ]\n"
    fields = "commands: [ echo begun, sleep 1000 ]\nvolumes: [ {name: v, path: /v} ]"
    text = one_step(engine, fields) + service + volumes
    variables = settings(drone, engine)
    async with command.started(*RUN, **variables) as runner:
        stage_id = submit(drone, text)
        await drone.wait_for(lambda parts: parts.calls["batch"], PATIENCE)
        runner.kill()
    assert len(engine.left_behind()) >= 4
    async with command.started(*RUN, **variables) as runner:
        stage = await ended(drone, stage_id)
        after = await ended(drone, submit(drone, one_step(engine, "commands: [ echo well ]")))
    assert (stage.status, stage.error) == ("error", "runner restarted")
    assert "begun" in log(drone, stage, "a")
    assert after.status == "success"
    assert not engine.left_behind()


async def test_a_runner_whose_engine_comes_later_takes_its_stages_then(
    drone: EmbeddedDrone, engine: RealEngine, command: Command, tmp_path: Path
) -> None:
    socket = tmp_path / "docker.sock"
    variables = {**settings(drone, engine), "DOCKER_HOST": f"unix://{socket}"}
    async with command.started(*RUN, **variables) as runner:
        await runner.said("docker.sock")
        waiting = submit(drone, one_step(engine, "commands: [ echo well ]"))
        exec_ = "kind: pipeline\ntype: exec\nname: e\nclone: {disable: true}\nsteps: [ {name: a} ]\n"
        host = submit(drone, exec_)
        assert (await ended(drone, host)).status == "success"
        assert not drone.stage(waiting).machine
        await anyio.Path(socket).symlink_to(engine.host.removeprefix("unix://"))
        assert (await drone.wait_finished(waiting, timeout=PATIENCE)).status == "success"


async def test_a_starting_runner_removes_what_a_killed_exec_has_left(
    drone: EmbeddedDrone, engine: RealEngine, command: Command, delegate: Exec
) -> None:
    delegate.write(one_step(engine, "commands: [ echo begun, sleep 1000 ]"))
    with delegate.started("exec", DOCKER_HOST=engine.host) as killed:
        killed.said("[a] begun")
        killed.send(signal.SIGKILL)
        killed.ended()
    assert len(engine.left_behind()) == 2
    async with command.started(*RUN, **settings(drone, engine)):
        await gone(engine)
