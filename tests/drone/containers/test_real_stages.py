"""Docker stages of the embedded server on a real container engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.testing.bench import PATIENCE, Bench
from delegate_drone.compiler import SharedVolume
from delegate_drone.server import EmbeddedDrone
from delegate_drone.server.hooks import Hook
from tests.docker.neighbour import neighbour
from tests.drone.containers.bench import bench_at, ended, log, submit, until_ready
from tests.drone.containers.conftest import RealEngine

TRUSTED = {"trusted": True}


def bare(engine: RealEngine, *, clone: bool = False) -> str:
    """The beginning of a pipeline."""
    return f"kind: pipeline\ntype: docker\nname: {engine.name}\n" + ("" if clone else "clone: {disable: true}\n")


def one_step(engine: RealEngine, fields: str, *, clone: bool = False) -> str:
    """A pipeline of one step; each line of ``fields`` is one of its keys."""
    lines = "".join(f"  {line}\n" for line in fields.splitlines())
    return f"{bare(engine, clone=clone)}steps:\n- name: a\n  image: {engine.image}\n{lines}"


@asynccontextmanager
async def runner_at(drone: EmbeddedDrone, engine: RealEngine, folder: Path, **fields: Any) -> AsyncIterator[Bench]:
    async with bench_at(drone, folder, **fields) as bench:
        started = await bench.start(
            {}, plugins=(engine.plugin,), engine_settings={"docker": engine.settings}, capacity=4
        )
        await until_ready(started)
        yield bench


@pytest.fixture
async def runner(drone: EmbeddedDrone, engine: RealEngine, tmp_path: Path) -> AsyncIterator[Bench]:
    async with runner_at(drone, engine, tmp_path / "state") as bench:
        yield bench


WHOLE = """\
workspace: {{base: /work, path: src/app}}
environment: {{EVERYWHERE: everywhere}}
services:
- name: web
  image: {image}
  commands: [ mkdir -p /w, echo served > /w/index.html, httpd -f -p 80 -h /w ]
steps:
- name: make
  image: {image}
  commands:
  - echo "in $(pwd) of $DRONE_REPO, $EVERYWHERE, ${{DRONE_STEP_NAME}} $DRONE_STEP_NAME"
  - echo made > made; echo kept > /kept/file; echo fast > /fast/file
  - grep /fast /proc/mounts | cut -d ' ' -f 1
  - if touch /readonly/x; then exit 3; fi
  - cat /readonly/file
  - for each in 1 2 3 4 5 6 7 8 9; do wget -q -O - http://web/ && break; sleep 0.3; done
  volumes: [ {{name: kept, path: /kept}}, {{name: fast, path: /fast}} ]
- name: plugin
  image: {image}
  entrypoint: [ /bin/sh, -c ]
  command: [ 'echo "$PLUGIN_REPO in $(pwd)"; cat made /kept/file; ls /fast; echo the secret is $PLUGIN_TOKEN' ]
  settings: {{repo: octo, token: {{from_secret: token}}}}
  volumes: [ {{name: kept, path: /kept}}, {{name: fast, path: /fast}} ]
- name: other
  image: {image}
  user: "65534"
  working_dir: /tmp
  environment: {{TOKEN: {{from_secret: token}}}}
  commands: [ echo "$(id -u) in $(pwd)", printf %s $TOKEN | base64 ]
- name: forgiven
  image: {image}
  commands: [ exit 4 ]
  failure: ignore
- name: absent
  image: {image}
  commands: [ exit 5 ]
  when: {{event: [ tag ]}}
- name: on failure
  image: {image}
  commands: [ exit 6 ]
  when: {{status: [ failure ]}}
volumes:
- {{name: kept, temp: {{}}}}
- {{name: fast, temp: {{medium: memory, size_limit: 1m}}}}
"""


async def test_a_docker_pipeline_has_all_that_drone_gives_it(
    drone: EmbeddedDrone, engine: RealEngine, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "file").write_text("of the host\n")
    volumes = (SharedVolume(str(shared), "/readonly", read_only=True),)
    async with runner_at(drone, engine, tmp_path / "state", volumes=volumes):
        text = bare(engine) + WHOLE.format(image=engine.image)
        order = {"settings": TRUSTED, "secrets": {"token": "hunter2-and-more-x"}}
        stage = await ended(drone, submit(drone, text, **order))
    statuses = {step.name: (step.status, step.exit_code) for step in stage.steps}
    logs = {step.name: log(drone, stage, step.name) for step in stage.steps}
    assert statuses == {
        "web": ("success", 0),
        "make": ("success", 0),
        "plugin": ("success", 0),
        "other": ("success", 0),
        "forgiven": ("failure", 4),
        "on failure": ("skipped", 0),
    }, logs
    assert (stage.status, stage.error) == ("success", "")
    assert "in /work/src/app of local/sandbox, everywhere,  make\n" in logs["make"]
    assert "\ntmpfs\n" in logs["make"]
    assert "Read-only file system" in logs["make"]
    assert "of the host\n" in logs["make"]
    assert logs["make"].endswith("served\n")
    assert logs["plugin"] == "octo in /work/src/app\nmade\nkept\nthe secret is ******\n"
    assert "65534 in /tmp\n" in logs["other"]
    assert logs["other"].endswith("| base64\n******\n")
    assert not (shared / "x").exists()
    assert not engine.left_behind()


@pytest.mark.parametrize(
    ("fields", "status", "code", "error"),
    [
        ("commands: [ exit 3 ]", "failure", 3, ""),
        ("commands: [ exit 78 ]", "success", 78, ""),
        ("commands: [ kill -9 $$$$ ]", "failure", 137, ""),
        ("entrypoint: [ /no/such/program ]", "error", 255, "/no/such/program"),
        ("image: nobody.invalid/none:1\npull: never", "error", 255, "nobody.invalid/none:1"),
        ("commands: [ tail /dev/zero ]\nmem_limit: 16m\nmemswap_limit: 16m", "failure", 137, "memory"),
    ],
)
async def test_each_end_of_a_container_is_told_as_what_it_is(
    drone: EmbeddedDrone, engine: RealEngine, runner: Bench, fields: str, status: str, code: int, error: str
) -> None:
    text = one_step(engine, fields)
    text += f"- {{name: b, image: '{engine.image}', commands: [ echo after ]}}\n"
    stage = await ended(drone, submit(drone, text))
    first, second = stage.steps
    assert (first.status, first.exit_code) == (status, code), first.error
    assert error in first.error
    assert second.status == "skipped"
    assert stage.status == status
    assert not engine.left_behind()


async def test_an_image_that_is_not_there_can_be_ignored(
    drone: EmbeddedDrone, engine: RealEngine, runner: Bench
) -> None:
    text = one_step(engine, "image: nobody.invalid/none:1\npull: never\nfailure: ignore")
    text += f"- {{name: b, image: '{engine.image}', commands: [ echo after ]}}\n"
    stage = await ended(drone, submit(drone, text))
    assert [step.status for step in stage.steps] == ["error", "success"]
    assert stage.status == "success"


async def test_a_detached_step_that_fails_is_seen(drone: EmbeddedDrone, engine: RealEngine, runner: Bench) -> None:
    text = one_step(engine, "detach: true\ncommands: [ exit 3 ]")
    text += f"- {{name: b, image: '{engine.image}', commands: [ sleep 2 ]}}\n"
    stage = await ended(drone, submit(drone, text))
    assert [(step.status, step.exit_code) for step in stage.steps] == [("failure", 3), ("success", 0)]
    assert stage.status == "failure"


async def test_a_cancelled_build_leaves_no_container_network_or_volume(
    drone: EmbeddedDrone, engine: RealEngine, runner: Bench
) -> None:
    commands = '[ "trap \'echo ended; exit 9\' TERM", echo begun, "while true; do sleep 0.1 || true; done" ]'
    service = f"services:\n- {{name: s, image: '{engine.image}', commands: [ sleep 1000 ]}}\n"
    volumes = "volumes: [ {name: v, temp: {}} ]\n"
    fields = f"commands: {commands}\nvolumes: [ {{name: v, path: /v}} ]"
    stage_id = submit(drone, one_step(engine, fields) + service + volumes)
    await until(lambda: len(engine.containers()) == 2)
    drone.cancel(drone.stage(stage_id).build_id)
    assert (await ended(drone, stage_id)).status == "killed"
    await gone(engine)


async def until(condition: Callable[[], bool]) -> None:
    """Look at the engine again and again: it tells nobody of changes."""
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - as it says
            await anyio.sleep(0.1)


async def gone(engine: RealEngine) -> None:
    """Wait until nothing is left on the engine: the server ends a cancelled stage before the runner has."""
    await until(lambda: not engine.left_behind())


async def test_the_git_of_the_host_clones_into_the_workspace_of_the_containers(
    drone: EmbeddedDrone, engine: RealEngine, tmp_path: Path
) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "file").write_text("committed\n")
    quiet = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-C", str(origin)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        await anyio.run_process([*quiet, *words])
    commit = (await anyio.run_process([*quiet, "rev-parse", "HEAD"])).stdout.decode().strip()
    text = one_step(engine, "commands: [ cat file, echo changed > file ]", clone=True)
    async with runner_at(drone, engine, tmp_path / "state", clone_on_host=True):
        hook = Hook(after=commit)
        stage = await ended(drone, submit(drone, text, hook=hook, settings={"git_http_url": f"file://{origin}"}))
    assert [(step.name, step.status) for step in stage.steps] == [("clone", "success"), ("a", "success")], stage.error
    assert "committed\n" in log(drone, stage, "a")
    assert (origin / "file").read_text() == "committed\n"
    assert not engine.left_behind()


async def test_the_networks_of_a_runner_are_joined_and_their_options_given(
    drone: EmbeddedDrone, engine: RealEngine, tmp_path: Path
) -> None:
    with neighbour(engine.host, "of-one") as (first, one), neighbour(engine.host, "of-two") as (second, two):
        options = (("com.docker.network.driver.mtu", "1337"),)
        async with runner_at(drone, engine, tmp_path / "state", networks=(first, second), network_opts=options):
            fetch = f"commands: [ wget -q -O - http://{one}/, wget -q -O - http://{two}/, cat /sys/class/net/*/mtu ]"
            stage = await ended(drone, submit(drone, one_step(engine, fetch)))
    text = log(drone, stage, "a")
    assert stage.status == "success", text
    assert {"of-one", "of-two", "1337"} <= set(text.splitlines())
