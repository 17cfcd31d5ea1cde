"""Steps of one stage on this host and in containers, in one workspace."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from delegate_core.engines.engine import EngineError, Output, Place, Surroundings
from delegate_core.engines.host import HostEngine
from delegate_core.engines.mixed import MixedEngine
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.container import Container
from delegate_core.pipeline.spec import Netrc, RunPolicy, Stage, Step, Workspace
from delegate_core.pipeline.states import Ending, Exited

CONTAINER = Container(image="i")


class Containers:
    """An engine that notes what it is given; a step of it reads its name from the workspace."""

    limiter = None

    def __init__(self, *, broken: bool = False) -> None:
        self.stages: list[Stage] = []
        self.read: dict[str, str] = {}
        self.told = 0
        self._broken = broken

    @asynccontextmanager
    async def open(self, stage: Stage, _surroundings: Surroundings) -> AsyncIterator[Place]:
        if self._broken:
            raise EngineError("it is not there")
        self.stages.append(stage)
        yield self

    async def run(self, step: Step, _output: Output) -> Ending:
        folder = Path(self.stages[-1].workspace.source or "/nowhere")
        file = folder / step.name
        self.read[step.name] = file.read_text() if file.exists() else ""
        return Exited(0)

    def failed(self) -> None:
        self.told += 1


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stage(*steps: Step, source: str | None = None) -> Stage:
    account = Netrc(machine="m", login="l", password="p")
    return Stage(name="s", steps=steps, workspace=Workspace(base="/drone", path="src", source=source), netrc=account)


CLONE = Step(name="clone", commands=("echo fetched > build", "cat ~/.netrc"), environment={"PATH": "/usr/bin:/bin"})
BUILD = Step(name="build", container=CONTAINER)


async def test_what_a_step_on_the_host_makes_is_in_the_workspace_of_the_containers(tmp_path: Path) -> None:
    containers, surroundings = Containers(), LocalSurroundings(tmp_path)
    async with MixedEngine(containers, HostEngine()).open(stage(CLONE, BUILD), surroundings) as place:
        workspace = Path(containers.stages[0].workspace.source or "")
        assert mode(workspace) == 0o777  # for any user of an image
        assert mode(workspace.parent) == 0o700  # but for none of this host
        await place.run(CLONE, lambda _: None)
        assert await place.run(BUILD, lambda _: None) == Exited(0)
        place.failed()
    assert containers.read == {"build": "fetched\n"}
    assert containers.told == 1
    assert (containers.stages[0].workspace.base, containers.stages[0].workspace.path) == ("/drone", "src")
    assert not names(tmp_path)


@pytest.mark.parametrize(("only", "given"), [(True, False), (False, True)])
async def test_the_account_for_git_can_stay_on_the_host(tmp_path: Path, *, only: bool, given: bool) -> None:
    containers, printed = Containers(), bytearray()
    engine = MixedEngine(containers, HostEngine(), netrc_on_host_only=only)
    async with engine.open(stage(CLONE, BUILD), LocalSurroundings(tmp_path)) as place:
        environment = {**CLONE.environment, "HOME": str(HostEngine().layout(tmp_path).home)}
        await place.run(CLONE.overlaid(environment), printed.extend)
    assert b"machine m login l password p" in printed
    assert (containers.stages[0].netrc is not None) is given


@pytest.mark.parametrize("others", [(), (Step(name="clone", commands=("x",), run=RunPolicy.NEVER),)])
async def test_a_stage_of_containers_alone_is_left_to_their_engine(tmp_path: Path, others: tuple[Step, ...]) -> None:
    containers = Containers()
    whole = stage(*others, BUILD)
    async with MixedEngine(containers, HostEngine()).open(whole, LocalSurroundings(tmp_path)):
        assert not names(tmp_path)
    assert containers.stages == [whole]


async def test_a_folder_that_is_used_in_place_is_that_of_both(tmp_path: Path) -> None:
    source = tmp_path / "project"
    await anyio.Path(source).mkdir()
    containers = Containers()
    whole = stage(CLONE, BUILD, source=str(source))
    async with MixedEngine(containers, HostEngine()).open(whole, LocalSurroundings(tmp_path / "own")) as place:
        await place.run(CLONE, lambda _: None)
        await place.run(BUILD, lambda _: None)
    assert containers.read == {"build": "fetched\n"}
    assert names(source) == ["build"]


async def test_nothing_is_left_where_the_containers_engine_is_not_there(tmp_path: Path) -> None:
    engine = MixedEngine(Containers(broken=True), HostEngine())
    with pytest.raises(EngineError, match="it is not there"):
        async with engine.open(stage(CLONE, BUILD), LocalSurroundings(tmp_path)):
            pass
    assert not names(tmp_path)
