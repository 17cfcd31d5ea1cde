"""Docker stages through the backend and the embedded server, on an engine that a test holds in its hands."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.markers import hookimpl
from delegate_core.model import Task
from delegate_core.pipeline.spec import HostVolume, Step
from delegate_core.pipeline.states import Ending, Exited
from delegate_core.testing.bench import PATIENCE
from delegate_drone.compiler import SharedVolume
from delegate_drone.server import EmbeddedDrone
from tests.drone.containers.bench import bench_at, ended, log, submit, until_ready
from tests.drone.containers.fake_engine import FakeContainers
from tests.drone.external.extension import Answer, answering

DOCKER = "kind: pipeline\ntype: docker\nname: d\nclone: {disable: true}\nsteps:\n- {name: a, image: alpine}\n"
EXEC = "kind: pipeline\ntype: exec\nname: e\nclone: {disable: true}\nsteps:\n- {name: a, commands: [echo here]}\n"


async def test_a_docker_stage_runs_on_the_engine_of_a_plugin(drone: EmbeddedDrone, tmp_path: Path) -> None:
    containers = FakeContainers()
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({}, plugins=(containers,))
        stage = await ended(drone, submit(drone, DOCKER))
    assert (stage.status, stage.error) == ("success", "")
    assert [(step.name, step.status) for step in stage.steps] == [("a", "success")]
    assert log(drone, stage) == "in docker.io/library/alpine:latest\n"


class Adding:
    """A plugin that gives each step its own name, and one variable of the author's."""

    @hookimpl
    def task_environment(self, task: Task, step: str) -> Mapping[str, str]:
        return {"OF_STEP": step, "OWN": "of the plugin"}


async def test_variables_of_plugins_are_in_a_containers_environment_but_for_those_of_its_author(
    drone: EmbeddedDrone, tmp_path: Path
) -> None:
    seen: dict[str, str] = {}

    async def look(step: Step, _output: object) -> Ending:
        seen.update(step.variables())
        return Exited(0)

    async with bench_at(drone, tmp_path) as bench:
        await bench.start({}, plugins=(FakeContainers(run_step=look), Adding()))
        await ended(drone, submit(drone, DOCKER.replace("alpine}", "alpine, environment: {OWN: of the author}}")))
    assert (seen["OF_STEP"], seen["OWN"]) == ("a", "of the author")


async def test_without_an_engine_no_docker_stage_is_asked_for(drone: EmbeddedDrone, tmp_path: Path) -> None:
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({})
        docker, exec_ = submit(drone, DOCKER), submit(drone, EXEC)
        assert (await ended(drone, exec_)).status == "success"
        assert drone.stage(docker).status == "pending"
        assert not drone.stage(docker).machine


async def test_while_the_engine_is_down_exec_stages_run_and_docker_stages_wait_for_it(
    drone: EmbeddedDrone, tmp_path: Path
) -> None:
    containers = FakeContainers("it is not there: start it")
    async with bench_at(drone, tmp_path) as bench:
        started = await bench.start({}, plugins=(containers,))
        docker, exec_ = submit(drone, DOCKER), submit(drone, EXEC)
        assert (await ended(drone, exec_)).status == "success"
        assert not drone.stage(docker).machine
        now = started.runner.snapshot()
        assert not now.ready
        assert any("engine docker: it is not there: start it" in hold for hold in now.holds)
        containers.trouble = ""
        assert (await ended(drone, docker)).status == "success"
        await until_ready(started)


async def test_an_engine_that_goes_down_in_mid_run_breaks_its_step_and_nothing_more_is_taken(
    drone: EmbeddedDrone, tmp_path: Path
) -> None:
    containers = FakeContainers()

    async def lose(_step: object, _output: object) -> Ending:
        containers.trouble = "it went away"
        containers.look_again()
        raise ConnectionError("it went away")

    containers.run_step = lose
    async with bench_at(drone, tmp_path) as bench:
        started = await bench.start({}, plugins=(containers,))
        broken = await ended(drone, submit(drone, DOCKER))
        assert (broken.status, broken.steps[0].status) == ("error", "error")
        assert "it went away" in broken.steps[0].error
        await until_ready(started, ready=False)
        waiting = submit(drone, DOCKER)
        assert (await ended(drone, submit(drone, EXEC))).status == "success"
        assert not drone.stage(waiting).machine


@pytest.mark.parametrize(
    ("asks", "what"),
    [
        ("  privileged: true\n", "`privileged` of step `b`"),
        ("  network_mode: host\n", "`network_mode` of step `b`"),
        ("volumes:\n- {name: v, host: {path: /}}\n", "volume `v` needs a trusted repository"),
    ],
)
async def test_what_needs_trust_is_refused_on_the_build_page_with_its_line(
    drone: EmbeddedDrone, tmp_path: Path, asks: str, what: str
) -> None:
    containers = FakeContainers()
    text = f"{DOCKER}- name: b\n  image: i\n{asks}"
    line = text.splitlines().index(asks.splitlines()[-1]) + 1
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({}, plugins=(containers,))
        refused = await ended(drone, submit(drone, text, settings={"trusted": False}))
        assert refused.status == "error"
        assert re.search(rf"\.drone\.yml:{line}:\d+: error: {re.escape(what)}", refused.error), refused.error
        assert not containers.stages
        allowed = await ended(drone, submit(drone, text, slug="local/mine", settings={"trusted": True}))
        assert allowed.status == "success"


async def test_images_are_pulled_with_the_accounts_of_every_source_and_no_password_is_shown(
    drone: EmbeddedDrone, tmp_path: Path
) -> None:
    def config(host: str, password: str) -> str:
        return json.dumps({"auths": {host: {"auth": base64.b64encode(f"u:{password}".encode()).decode()}}})

    async def print_password(step: Any, output: Any) -> Ending:
        output(f"{step.container.credentials.password}\n".encode())
        return Exited(0)

    file = tmp_path / "config.json"
    file.write_text(config("file.example", "of-the-file"))
    stored = [{"address": "https://plugin.example", "username": "u", "password": "of-the-plugin"}]
    steps = "".join(f"- {{name: {name}, image: {name}.example/app}}\n" for name in ("secret", "file", "plugin"))
    text = DOCKER.replace("- {name: a, image: alpine}\n", steps) + "image_pull_secrets: [ login ]\n"
    containers = FakeContainers(run_step=print_password)
    async with answering(lambda _: Answer.of(stored)) as extension:
        fields = {
            "registry_config": file,
            "registry_plugin_endpoint": extension.url,
            "registry_plugin_token": extension.token,
        }
        async with bench_at(drone, tmp_path / "state", **fields) as bench:
            await bench.start({}, plugins=(containers,))
            secrets = {"login": config("secret.example", "of-the-secret")}
            stage = await ended(drone, submit(drone, text, secrets=secrets))
    assert stage.status == "success"
    given = [step.container.credentials for step in containers.stages[0].steps if step.container]
    assert [each and each.password for each in given] == ["of-the-secret", "of-the-file", "of-the-plugin"]
    assert [log(drone, stage, number) for number in range(3)] == ["******\n"] * 3


async def test_a_pull_secret_that_cannot_be_read_ends_the_stage_without_showing_it(
    drone: EmbeddedDrone, tmp_path: Path
) -> None:
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({}, plugins=(FakeContainers(),))
        text = f"{DOCKER}image_pull_secrets: [ login ]\n"
        stage = await ended(drone, submit(drone, text, secrets={"login": "hidden-text"}))
    assert stage.status == "error"
    assert stage.error == "secret login: it is not JSON: give the text of a docker config.json"


async def test_the_runner_s_settings_reach_the_containers(drone: EmbeddedDrone, tmp_path: Path) -> None:
    containers = FakeContainers()
    fields = {
        "volumes": (SharedVolume("/certs", "/etc/certs", read_only=True),),
        "networks": ("shared",),
        "network_opts": {"mtu": "1450"},
        "stream_pulls": False,
        "memory_limit": "1g",
        "environment": {"GREETING": "hello"},
        "clone_image": "octo/git:1",
    }
    async with bench_at(drone, tmp_path, **fields) as bench:
        await bench.start({}, plugins=(containers,))
        stage = await ended(drone, submit(drone, DOCKER.replace("clone: {disable: true}\n", "")))
    assert stage.status == "success"
    (spec,) = containers.stages
    assert (spec.networks, spec.network_options, spec.show_pulls) == (("shared",), {"mtu": "1450"}, False)
    assert [volume.path for volume in spec.volumes if isinstance(volume, HostVolume)] == ["/certs"]
    images = [step.container.image for step in spec.steps if step.container]
    assert images == ["docker.io/octo/git:1", "docker.io/library/alpine:latest"]
    assert all(step.limits.memory == 1 << 30 for step in spec.steps)
    assert all(step.environment["GREETING"] == "hello" for step in spec.steps)


async def test_the_path_of_steps_on_the_host_is_no_path_of_containers(drone: EmbeddedDrone, tmp_path: Path) -> None:
    containers = FakeContainers()
    async with bench_at(drone, tmp_path, path="/usr/bin:/bin:/opt/bin", environment={"PATH": "/lost"}) as bench:
        await bench.start({}, plugins=(containers,))
        host = await ended(drone, submit(drone, EXEC.replace("echo here", "echo $PATH")))
        await ended(drone, submit(drone, DOCKER))
    assert log(drone, host).splitlines()[-1] == "/usr/bin:/bin:/opt/bin"
    assert containers.stages[0].steps[0].environment["PATH"] == "/lost"


async def test_steps_of_both_engines_share_one_limit(drone: EmbeddedDrone, tmp_path: Path) -> None:
    together, most = 0, 0
    release = anyio.Event()

    async def count(_step: object, _output: object) -> Ending:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await release.wait()
        together -= 1
        return Exited(0)

    containers = FakeContainers(run_step=count)
    async with bench_at(drone, tmp_path, max_procs=1) as bench:
        await bench.start({}, plugins=(containers,), capacity=3)
        stages = [submit(drone, DOCKER), submit(drone, DOCKER)]
        await drone.wait_for(lambda _: all(drone.stage(each).status == "running" for each in stages), PATIENCE)
        with anyio.fail_after(PATIENCE):
            await containers.running.wait()
        waiting = submit(drone, EXEC)
        await drone.wait_for(lambda _: drone.stage(waiting).status == "running", PATIENCE)
        assert drone.stage(waiting).steps[0].status == "pending"
        release.set()
        assert [(await ended(drone, each)).status for each in (*stages, waiting)] == ["success"] * 3
    assert most == 1


async def test_a_cancelled_build_ends_what_runs_in_its_containers(drone: EmbeddedDrone, tmp_path: Path) -> None:
    gone = anyio.Event()

    async def wait(_step: object, _output: object) -> Ending:
        try:
            await anyio.sleep_forever()
        finally:
            gone.set()
        raise AssertionError

    containers = FakeContainers(run_step=wait)
    async with bench_at(drone, tmp_path) as bench:
        await bench.start({}, plugins=(containers,))
        stage_id = submit(drone, DOCKER)
        with anyio.fail_after(PATIENCE):
            await containers.running.wait()
            drone.cancel(drone.stage(stage_id).build_id)
            await gone.wait()
        assert (await ended(drone, stage_id)).status == "killed"
