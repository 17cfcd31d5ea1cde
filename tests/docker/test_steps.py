"""Containers: what a step's spec comes to on a real engine."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.engines.contribution import EngineDown, EngineSetup
from delegate_core.engines.engine import EngineError
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.container import Container, Device, Mount, Pull
from delegate_core.pipeline.spec import HostVolume, Limits, Netrc, Platform, Secret, Stage, Step, TemporaryVolume
from delegate_core.pipeline.states import Broken, Ending, Exited, OutOfMemory
from delegate_core.testing.engine_contract_base import PATIENCE, Printed
from delegate_docker.connection import connected
from delegate_docker.engine import DockerEngine
from delegate_docker.place import ContainerPlace
from delegate_docker.settings import DockerSettings
from tests.docker import daemon
from tests.docker.daemon import BOX

pytestmark = pytest.mark.anyio


@dataclass
class Room:
    """An open stage."""

    place: ContainerPlace
    printed: Printed = field(default_factory=Printed)

    async def run(self, *commands: str, printed: Printed | None = None, **given: Any) -> tuple[Ending, str]:
        printed = printed or Printed()
        of_container = {key: given.pop(key) for key in list(given) if key in Container.__dataclass_fields__}
        container = Container(**{"image": BOX, **of_container})
        step = Step(name=given.pop("name", "step"), commands=commands, container=container, **given)
        with anyio.fail_after(PATIENCE):
            ending = await self.place.run(step, printed.write)
        return ending, printed.text


Opened = Callable[..., Any]


@pytest.fixture
def opened(engine: DockerEngine, tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def opened(grace: float = 10.0, **given: Any) -> AsyncIterator[Room]:
        stage = Stage(name="stage", **given)
        async with engine.open(stage, LocalSurroundings(tmp_path / "own", grace)) as place:
            yield Room(place)

    return opened


async def test_a_service_is_reached_by_its_name_and_its_exit_is_seen(opened: Opened) -> None:
    async with opened() as room:
        ended: list[Ending] = []
        ready = Printed()

        async def serve() -> None:
            script = "while :; do echo hello from the service | nc -l -p 80 && break; done"
            ending, _ = await room.run("echo up", script, "exit 7", name="database", printed=ready, detach=True)
            ended.append(ending)

        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            await ready.until("up")
            ending, text = await room.run("until nc database 80; do sleep 0.1; done")
        assert (ending, text.splitlines()[-1]) == (Exited(0), "hello from the service")
        assert ended == [Exited(7)]


async def test_entrypoint_and_command_replace_those_of_the_image(opened: Opened) -> None:
    async with opened() as room:
        assert await room.run(entrypoint=("echo",), command=("a b", "$HOME")) == (Exited(0), "a b $HOME\n")
        assert await room.run(command=("sh", "-c", "exit 3")) == (Exited(3), "")


async def test_the_script_is_in_no_argument_and_no_variable(opened: Opened, docker_host: str, owner: str) -> None:
    async with opened(netrc=Netrc(machine="m", login="l", password="pass-word")) as room:
        printed = Printed()
        async with anyio.create_task_group() as group:
            group.start_soon(partial(room.run, "echo up", ": needle-in-the-script; sleep 600", printed=printed))
            await printed.until("up")
            with daemon.client(docker_host) as http:
                (listed,) = http.get(
                    "/containers/json", params={"filters": f'{{"label": ["delegate.owner={owner}"]}}'}
                ).json()
                shown = http.get(f"/containers/{listed['Id']}/json").text
            group.cancel_scope.cancel()
        assert "needle-in-the-script" not in shown
        assert "pass-word" not in shown


async def test_user_directory_hosts_and_shared_memory_are_as_asked_for(opened: Opened) -> None:
    async with opened() as room:
        _, text = await room.run(
            "id -un; pwd; grep special /etc/hosts; df -k /dev/shm | tail -1",
            user="nobody", working_dir="/tmp", hosts=("special:10.9.8.7",), shm_size=8 * 1024 * 1024,
        )  # fmt: skip
        name, folder, hosts, shm = text.splitlines()[1:]
        assert (name, folder, hosts.split()) == ("nobody", "/tmp", ["10.9.8.7", "special"])
        assert shm.split()[1] == "8192"


async def test_name_servers_and_devices_are_as_asked_for(opened: Opened) -> None:
    async with opened() as room:
        _, text = await room.run(
            "cat /etc/resolv.conf; ls -l /dev/empty",
            network_mode="none", dns=("10.1.2.3",), dns_search=("example.com",),
            devices=(Device("/dev/null", "/dev/empty"),),
        )  # fmt: skip
        assert "nameserver 10.1.2.3" in text
        assert "search example.com" in text
        assert text.splitlines()[-1].startswith("crw")


async def test_temporary_volumes_are_shared_on_disk_and_a_tmpfs_in_memory(opened: Opened, docker_host: str) -> None:
    volumes = (TemporaryVolume(name="disk"), TemporaryVolume(name="memory", in_memory=True, size_limit=1024 * 1024))
    mounts = (Mount("disk", "/disk"), Mount("memory", "/memory"))
    async with opened(volumes=volumes) as room:
        ending, text = await room.run(
            "echo kept >/disk/file; df -k /memory | tail -1; ! dd if=/dev/zero of=/memory/x bs=1M count=2",
            mounts=mounts,
        )
        assert ending == Exited(0), text
        assert "tmpfs" in text
        assert (await room.run("cat /disk/file", mounts=mounts))[1].endswith("\nkept\n")


@pytest.mark.parametrize(("volume", "mount"), [(True, False), (False, True)])
async def test_a_read_only_volume_is_read_only(opened: Opened, tmp_path: Path, volume: bool, mount: bool) -> None:  # noqa: FBT001 - cases
    (tmp_path / "file").write_text("content\n")
    volumes = (HostVolume(name="host", path=str(tmp_path), read_only=volume),)
    async with opened(volumes=volumes) as room:
        ending, text = await room.run(
            "cat /host/file; ! touch /host/new", mounts=(Mount("host", "/host", read_only=mount),)
        )
    assert ending == Exited(0), text
    assert "content" in text
    assert not (tmp_path / "new").exists()


async def test_a_host_volume_can_be_written(opened: Opened, tmp_path: Path) -> None:
    async with opened(volumes=(HostVolume(name="host", path=str(tmp_path)),)) as room:
        await room.run("echo new >/host/new", mounts=(Mount("host", "/host"),))
    assert (tmp_path / "new").read_text() == "new\n"


async def test_a_volume_that_nobody_has_and_a_folder_that_is_not_there_break_the_step(opened: Opened) -> None:
    async with opened(volumes=(HostVolume(name="host", path="/not/there"),)) as room:
        for name in ("other", "host"):
            ending, _ = await room.run("true", mounts=(Mount(name, "/host"),))
            assert isinstance(ending, Broken)
            assert ("'other'" if name == "other" else "/not/there") in ending.error


async def test_a_step_that_needs_more_memory_than_it_may_is_told_so(opened: Opened) -> None:
    async with opened() as room:
        limits = Limits(memory=16 * 1024 * 1024, memory_swap=16 * 1024 * 1024, processes=50, cpu_quota=50000)
        ending, _ = await room.run("exec tail /dev/zero", limits=limits)
    assert ending == OutOfMemory()


async def test_limits_reach_the_container(opened: Opened) -> None:
    async with opened() as room:
        command = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all"
        ending, text = await room.run(command, limits=Limits(processes=5))
        assert ending != Exited(0), text
        _, text = await room.run("cat /proc/self/status | grep Cpus_allowed_list", limits=Limits(cpu_set="0"))
        assert text.split()[-1] == "0"


async def test_privileged_is_only_who_asks_for_it(opened: Opened) -> None:
    async with opened() as room:
        command = "mkdir /m; mount -t tmpfs none /m"
        assert (await room.run(command))[0] != Exited(0)
        ending, _ = await room.run(command, privileged=True)
        # A machine that withholds a capability from us cannot give it to a container, and says so.
        withheld = isinstance(ending, Broken) and "unable to apply caps" in ending.error
        assert ending == Exited(0) or withheld


async def test_a_container_that_cannot_start_breaks_its_step_and_shows_no_secret(opened: Opened) -> None:
    secret = Secret(name="key", value="hidden-treasure", variable="KEY")
    async with opened() as room:
        ending, _ = await room.run(entrypoint=("/no/such/program",), secrets=(secret,))
    assert isinstance(ending, Broken)
    assert "/no/such/program" in ending.error
    assert "hidden" not in ending.error


async def test_an_image_that_is_never_pulled_or_of_another_platform_breaks_the_step(opened: Opened) -> None:
    async with opened() as room:
        ending, _ = await room.run("true", image="docker.io/library/missing:1", pull=Pull.NEVER)
        assert ending == Broken("the image docker.io/library/missing:1 is not there, and its step never pulls it")
    async with opened(platform=Platform(os="linux", arch="s390x")) as room:
        ending, _ = await room.run("true", pull=Pull.NEVER)
        assert isinstance(ending, Broken)


async def test_the_last_line_is_never_lost(opened: Opened) -> None:
    async with opened() as room:
        for _ in range(10):
            _, text = await room.run("seq 2000; echo the end")
            assert text.endswith("\n2000\nthe end\n")


async def test_what_was_left_by_a_killed_program_is_swept_and_what_is_another_s_is_not(
    docker_host: str, tmp_path: Path
) -> None:
    for owner in ("swept-owner", "other-owner"):
        program = [sys.executable, "-m", "tests.docker.dying", docker_host, owner, str(tmp_path)]
        with anyio.fail_after(PATIENCE):
            done = await anyio.run_process(program, check=False)
        assert done.returncode == -9, done.stderr
        assert len(daemon.leftovers(docker_host, f"delegate.owner={owner}")) == 3
    settings = DockerSettings(host=docker_host)
    async with connected(settings) as client:
        engine = DockerEngine(client, EngineSetup(settings=settings, owner="swept-owner"))
        async with engine.open(Stage(name="alive"), LocalSurroundings(tmp_path)):
            await engine.sweep("swept-owner")
            assert len(daemon.leftovers(docker_host, "delegate.owner=swept-owner")) == 2, "the living stage's own"
        assert daemon.leftovers(docker_host, "delegate.owner=swept-owner") == []
        assert len(daemon.leftovers(docker_host, "delegate.owner=other-owner")) == 3
        await engine.sweep("other-owner")
        assert daemon.leftovers(docker_host, "delegate.owner=other-owner") == []


async def test_an_engine_that_is_not_there_is_down_and_says_what_to_do(tmp_path: Path) -> None:
    settings = DockerSettings(host=f"unix://{tmp_path}/none.sock")
    doubts: list[bool] = []
    async with connected(settings) as client:
        setup = EngineSetup(settings=settings, owner="nobody", doubt=lambda: doubts.append(True))
        engine = DockerEngine(client, setup)
        with pytest.raises(EngineDown, match=r"none\.sock.*start it, or name another with --docker-host"):
            await engine.check()
        with pytest.raises(EngineError, match="cannot use the container engine"):
            async with engine.open(Stage(name="s"), LocalSurroundings(tmp_path)):
                pytest.fail("it was opened")
    assert doubts
