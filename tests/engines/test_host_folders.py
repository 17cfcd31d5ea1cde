"""The host engine's folders: where, whose, how long."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from delegate_core.engines.engine import EngineError
from delegate_core.engines.host import HostEngine
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.container import Container
from delegate_core.pipeline.spec import Netrc, Shell, Stage, Step, Workspace
from delegate_core.pipeline.states import Broken, Ending, Exited
from tests.engines.host_engine import PATH

pytestmark = pytest.mark.anyio

STAGE = Stage(name="Build & Test")
DAY = 24 * 3600.0


async def run_stage(
    engine: HostEngine,
    folder: Path,
    *commands: str,
    stage: Stage = STAGE,
    failed: bool = True,
    step: Step | None = None,
) -> Ending:
    step = step or Step(name="step", commands=commands, environment={"PATH": PATH})
    async with engine.open(stage, LocalSurroundings(folder)) as place:
        ending = await place.run(step, lambda data: None)
        if failed:
            place.failed()
    return ending


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_the_layout_is_where_the_steps_run(tmp_path: Path) -> None:
    for engine in (HostEngine(), HostEngine(root=tmp_path / "root")):
        layout = engine.layout(tmp_path / "task")
        assert await run_stage(engine, tmp_path / "task", f'test "$PWD" = "{layout.workspace}"') == Exited(0)
        assert layout.home.parent == layout.workspace.parent == layout.root


def test_layouts_below_a_root_differ_by_folder(tmp_path: Path) -> None:
    engine = HostEngine(root=tmp_path)
    one, two = engine.layout(Path("/tasks/1")), engine.layout(Path("/tasks/2"))
    assert one.root.parent == two.root.parent == tmp_path
    assert one.root != two.root
    assert engine.layout(Path("/tasks/1")) == one


async def test_everything_is_for_the_runner_s_user_only(tmp_path: Path) -> None:
    engine = HostEngine(root=tmp_path / "root")
    stage = Stage(name="stage", netrc=Netrc(machine="git.example.com", login="o", password="p w"))
    async with engine.open(stage, LocalSurroundings(tmp_path / "task")) as place:
        await place.run(Step(name="step", commands=("true",)), lambda data: None)
        modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "root").rglob("*") if path.is_dir()}
        files = [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
        assert modes == {"0o700"}
        assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
        netrc = engine.layout(tmp_path / "task").home / ".netrc"
        assert netrc.read_text() == 'machine git.example.com login o password "p w"\n'


async def test_an_account_that_would_add_lines_to_the_file_is_refused(tmp_path: Path) -> None:
    stage = Stage(name="stage", netrc=Netrc(machine="m", login="l", password="hidden\nmachine other"))
    with pytest.raises(EngineError, match="password") as caught:
        await run_stage(HostEngine(), tmp_path / "task", stage=stage)
    assert "hidden" not in str(caught.value)
    assert names(tmp_path / "task") == []


async def test_a_step_for_a_container_is_broken(tmp_path: Path) -> None:
    step = Step(name="step", commands=("true",), container=Container(image="alpine"))
    ending = await run_stage(HostEngine(), tmp_path / "task", step=step)
    assert isinstance(ending, Broken)
    assert "host engine" in ending.error


async def test_a_missing_shell_is_broken_and_says_the_cure(tmp_path: Path) -> None:
    step = Step(name="step", commands=("true",), shell=Shell.BASH, environment={"PATH": str(tmp_path)})
    ending = await run_stage(HostEngine(), tmp_path / "task", step=step)
    assert isinstance(ending, Broken)
    assert "'bash' was not found. Install it" in ending.error


async def test_a_scripts_folder_that_is_gone_breaks_the_next_step(tmp_path: Path) -> None:
    async with HostEngine().open(STAGE, LocalSurroundings(tmp_path)) as place:
        await place.run(Step(name="one", commands=("rm -rf ../scripts",)), lambda data: None)
        ending = await place.run(Step(name="two", commands=("true",)), lambda data: None)
    assert isinstance(ending, Broken)
    assert "script" in ending.error


async def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    engine = HostEngine()
    async with engine.open(STAGE, LocalSurroundings(tmp_path)) as place:
        with pytest.raises(EngineError, match="in use"):
            await run_stage(engine, tmp_path)
        assert await place.run(Step(name="s", commands=("true",)), lambda data: None) == Exited(0)


async def test_a_link_in_the_place_of_the_folder_is_refused_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "stage").symlink_to(other)
    with pytest.raises(EngineError, match="something else"):
        await run_stage(HostEngine(), tmp_path / "task")
    assert names(other) == []


async def test_a_root_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match=str(tmp_path / "file" / "root")):
        await run_stage(HostEngine(root=tmp_path / "file" / "root"), tmp_path / "task")


async def test_a_tree_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    command = f"for n in 1 2 3 4 5 6 7 8 9 10 11 12; do mkdir -p {'deeper/' * 100} && cd -P {'deeper/' * 100}; done"
    assert await run_stage(HostEngine(), tmp_path, command) == Exited(0)
    assert names(tmp_path) == []


async def test_removal_does_not_follow_links(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o755)
    (precious / "file").touch()
    await run_stage(
        HostEngine(),
        tmp_path / "task",
        f"ln -s {precious} a; mkdir b; ln -s {precious} b/c; rm -r ../home; ln -s {precious} ../home",
    )
    assert names(precious) == ["file"]
    assert precious.stat().st_mode & 0o777 == 0o755
    assert names(tmp_path / "task") == []


async def test_the_workspace_of_a_failed_stage_is_kept_and_announced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept = tmp_path / "kept"
    await run_stage(HostEngine(keep_failed=kept, clock=Clock()), tmp_path / "task", "echo why >log; chmod 0 .")
    assert names(kept) == ["20270115T080000Z-build-test"]
    assert (kept / "20270115T080000Z-build-test" / "log").read_text() == "why\n"
    assert str(kept / "20270115T080000Z-build-test") in caplog.text
    assert names(tmp_path / "task") == []


async def test_nothing_is_kept_of_success_or_of_a_folder_used_in_place(tmp_path: Path) -> None:
    engine, source = HostEngine(keep_failed=tmp_path / "kept"), tmp_path / "source"
    source.mkdir()
    await run_stage(engine, tmp_path / "task", "true", failed=False)
    in_place = Stage(name="stage", workspace=Workspace(source=str(source)))
    await run_stage(engine, tmp_path / "task", "touch file", stage=in_place)
    assert names(tmp_path / "kept") == []
    assert names(source) == ["file"]


async def test_a_link_in_the_place_of_the_workspace_is_not_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "precious").mkdir()
    engine = HostEngine(keep_failed=tmp_path / "kept")
    await run_stage(engine, tmp_path / "task", f"rm -r ../workspace; ln -s {tmp_path}/precious ../workspace")
    assert names(tmp_path / "kept") == []
    assert (tmp_path / "precious").is_dir()
    assert "could not keep" in caplog.text


async def test_the_newest_are_kept_and_strangers_left_alone(tmp_path: Path) -> None:
    clock, kept = Clock(), tmp_path / "kept"
    engine = HostEngine(keep_failed=kept, keep_most=2, clock=clock)
    (kept / "notes").mkdir(parents=True)
    for number in range(4):
        clock.now += 60
        await run_stage(engine, tmp_path / "task", "true", stage=Stage(name=f"s{number}"))
    assert [name.partition("-")[2] for name in names(kept)] == ["s2", "s3", ""]


async def test_failures_of_one_second_are_kept_apart(tmp_path: Path) -> None:
    engine = HostEngine(keep_failed=tmp_path / "kept", clock=Clock())
    for _ in range(2):
        await run_stage(engine, tmp_path / "task", "true")
    assert names(tmp_path / "kept") == ["20270115T080000Z-build-test", "20270115T080000Z-build-test-2"]


async def test_sweeping_removes_what_is_too_old(tmp_path: Path) -> None:
    clock = Clock()
    engine = HostEngine(keep_failed=tmp_path / "kept", clock=clock)
    await run_stage(engine, tmp_path / "task", "true")
    clock.now += 7 * DAY - 1
    await engine.sweep()
    assert len(names(tmp_path / "kept")) == 1
    clock.now += 2
    await engine.sweep()
    assert names(tmp_path / "kept") == []


DYING = """
import anyio, os, sys
from pathlib import Path
from delegate_core.engines.host import HostEngine
from delegate_core.engines.surroundings import LocalSurroundings
from delegate_core.pipeline.spec import Stage

async def main():
    async with HostEngine(root=Path(sys.argv[1])).open(Stage(name="s"), LocalSurroundings(Path(sys.argv[2]))):
        os.kill(os.getpid(), 9)

anyio.run(main)
"""


def die_in_a_stage(root: Path, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, root, folder], check=False, timeout=100)
    assert done.returncode == -9


async def test_sweeping_removes_the_stages_of_the_dead_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "root"
    engine = HostEngine(root=root)
    die_in_a_stage(root, tmp_path / "dead")
    (root / "notes").mkdir()
    (root / ("stage-" + "0" * 16)).symlink_to(tmp_path)
    async with engine.open(STAGE, LocalSurroundings(tmp_path / "alive")):
        dead, alive = engine.layout(tmp_path / "dead").root, engine.layout(tmp_path / "alive").root
        assert dead.is_dir()
        await HostEngine(root=root).sweep()
        assert names(root) == sorted(["notes", "stage-" + "0" * 16, alive.name])


async def test_the_place_of_a_dead_runner_can_be_used_again_without_a_sweep(tmp_path: Path) -> None:
    engine = HostEngine(root=tmp_path / "root")
    die_in_a_stage(tmp_path / "root", tmp_path / "task")
    assert await run_stage(engine, tmp_path / "task", "true") == Exited(0)
    assert names(tmp_path / "root") == []


async def test_sweeping_finishes_removals_that_were_broken_off(tmp_path: Path) -> None:
    (tmp_path / ".gone-1" / "0" / "deep").mkdir(parents=True)
    await HostEngine(root=tmp_path).sweep()
    assert names(tmp_path) == []


async def test_sweeping_where_nothing_is_does_nothing(tmp_path: Path) -> None:
    await HostEngine(root=tmp_path / "not", keep_failed=tmp_path / "there").sweep()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - the names are what is compared


async def test_links_lead_from_the_home_to_this_machine_and_what_they_lead_to_stays(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "kept").write_text("kept")
    engine = HostEngine(home_links={".m2/repository": str(cache)})
    surroundings = LocalSurroundings(tmp_path / "own")
    async with engine.open(Stage(name="s"), surroundings):
        home = engine.layout(surroundings.folder).home
        assert (home / ".m2/repository/kept").read_text() == "kept"
    assert not home.exists()
    assert (cache / "kept").exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "", "a/../../x"])
async def test_a_link_outside_of_the_home_is_refused(tmp_path: Path, name: str) -> None:
    engine = HostEngine(home_links={name: "/tmp"})
    with pytest.raises(EngineError, match="no place in a stage's home"):
        async with engine.open(Stage(name="s"), LocalSurroundings(tmp_path / "own")):
            pass
    assert not (tmp_path / "own" / "stage").exists()
