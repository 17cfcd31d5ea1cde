"""Pulling images from a registry that asks for an account."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from delegate_core.testing.bench import PATIENCE, Bench
from delegate_drone.server import EmbeddedDrone
from tests.drone.containers.bench import ended, log, submit
from tests.drone.containers.conftest import RealEngine
from tests.drone.containers.registry import PASSWORD, USERNAME, Registry, serving_registry
from tests.drone.containers.test_real_stages import bare, gone, runner_at
from tests.drone.local.command import Command


@pytest.fixture
def registry(engine: RealEngine) -> Iterator[Registry]:
    with serving_registry(Path("/bin/busybox").read_bytes()) as registry:
        yield registry
        engine.forget(registry.image)


@pytest.fixture
async def runner(drone: EmbeddedDrone, engine: RealEngine, tmp_path: Path) -> AsyncIterator[Bench]:
    async with runner_at(drone, engine, tmp_path / "state") as bench:
        yield bench


def config(registry: Registry, password: str = PASSWORD) -> str:
    auth = base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
    return json.dumps({"auths": {registry.address: {"auth": auth}}})


def pipeline(engine: RealEngine, registry: Registry, *pulls: str) -> str:
    steps = "".join(
        f"- {{name: s{number}, image: '{registry.image}', pull: {pull}, commands: [ echo ran ]}}\n"
        for number, pull in enumerate(pulls)
    )
    return f"{bare(engine)}image_pull_secrets: [ login ]\nsteps:\n{steps}"


async def test_an_image_is_pulled_when_its_policy_says_so_and_the_log_tells(
    drone: EmbeddedDrone, registry: Registry, engine: RealEngine, runner: Bench
) -> None:
    text = pipeline(engine, registry, "if-not-exists", "if-not-exists", "never", "always", "default")
    stage = await ended(drone, submit(drone, text, secrets={"login": config(registry)}))
    assert [step.status for step in stage.steps] == ["success"] * 5, [step.error for step in stage.steps]
    logs = [log(drone, stage, number) for number in range(5)]
    assert ["octo/box" in each for each in logs] == [True, False, False, True, False], logs
    assert all(each.endswith("ran\n") for each in logs)
    assert registry.pulls >= 2
    assert not any(PASSWORD in each for each in logs)


async def test_a_policy_of_never_pulls_nothing(
    drone: EmbeddedDrone, registry: Registry, engine: RealEngine, runner: Bench
) -> None:
    stage = await ended(drone, submit(drone, pipeline(engine, registry, "never"), secrets={"login": config(registry)}))
    assert stage.steps[0].status == "error"
    assert registry.image in stage.steps[0].error
    assert registry.pulls == 0


@pytest.mark.parametrize("password", ["not-the-password", ""])
async def test_a_registry_that_refuses_the_account_is_told_without_it(
    drone: EmbeddedDrone, registry: Registry, engine: RealEngine, runner: Bench, password: str
) -> None:
    secrets = {"login": config(registry, password)} if password else {}
    stage = await ended(drone, submit(drone, pipeline(engine, registry, "always"), secrets=secrets))
    (step,) = stage.steps
    assert (step.status, stage.status) == ("error", "error")
    assert registry.image in step.error
    told = f"{stage.error} {step.error} {log(drone, stage)}"
    assert not password or password not in told
    assert not password or base64.b64encode(f"{USERNAME}:{password}".encode()).decode() not in told


async def test_a_build_that_is_cancelled_while_it_pulls_ends_at_once(
    drone: EmbeddedDrone, registry: Registry, engine: RealEngine, runner: Bench
) -> None:
    registry.held.clear()
    stage_id = submit(drone, pipeline(engine, registry, "always"), secrets={"login": config(registry)})
    with anyio.fail_after(PATIENCE):
        await anyio.to_thread.run_sync(registry.asked.wait, PATIENCE)
        drone.cancel(drone.stage(stage_id).build_id)
        assert (await ended(drone, stage_id)).status == "killed"
        await gone(engine)


def test_exec_pulls_with_the_accounts_of_a_docker_config(
    delegate: Command, registry: Registry, engine: RealEngine
) -> None:
    step = f"steps:\n- {{name: a, image: '{registry.image}', commands: [ echo ran ]}}\n"
    delegate.write(f"kind: pipeline\nname: {engine.name}\n{step}")
    delegate.write(config(registry), "config.json")
    delegate.write(config(registry, "not-the-password"), "wrong.json")
    wrong = delegate("exec", "--registry", "wrong.json", DOCKER_HOST=engine.host)
    assert wrong.code == 1
    assert "not-the-password" not in wrong.both
    assert registry.image in wrong.out
    right = delegate("exec", "--registry", "config.json", DOCKER_HOST=engine.host)
    assert right.code == 0, right.both
    assert "[a] ran\n" in right.out
