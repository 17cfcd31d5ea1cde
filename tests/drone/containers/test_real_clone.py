"""The clone of a docker pipeline by an image, over git's own protocol."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from delegate_drone.server import EmbeddedDrone
from delegate_drone.server.hooks import Hook
from tests.docker.gitimage import GIT_BOX, git_server, import_git_box
from tests.drone.containers.bench import ended, log, submit
from tests.drone.containers.conftest import RealEngine
from tests.drone.containers.test_real_stages import bare, runner_at

MAIN, TAGGED, PROPOSED = "on main", "tagged", "proposed"


@dataclass(frozen=True)
class Origin:
    """A repository with two commits on main, a tag on the first, and a proposed change that adds a file."""

    folder: Path

    def git(self, *words: str) -> str:
        quiet = [
            "git",
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=main",
            "-C",
            str(self.folder),
        ]
        return subprocess.run([*quiet, *words], capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, name: str, text: str) -> str:
        (self.folder / name).write_text(f"{text}\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    origin = Origin(tmp_path / "served" / "repo")
    origin.folder.mkdir(parents=True)
    origin.git("init", "-q")
    return origin


def pipeline(engine: RealEngine, depth: int) -> str:
    """Shows what was checked out, and how many commits there are of it."""
    clone = f"clone: {{depth: {depth}}}\n" if depth else ""
    step = "- name: a\n  image: {}\n  commands: [ pwd, cat *, git rev-list --count HEAD ]\n"
    return f"{bare(engine, clone=True)}{clone}steps:\n{step.format(GIT_BOX)}"


@asynccontextmanager
async def cloning(
    drone: EmbeddedDrone, engine: RealEngine, origin: Origin, folder: Path
) -> AsyncIterator[dict[str, str]]:
    """A runner that clones by the image; the settings of a repository that has the origin's address."""
    import_git_box(engine.host)
    with git_server(engine.host, origin.folder.parent) as (network, address):
        given = {"clone_image": GIT_BOX, "networks": (network,)}
        async with runner_at(drone, engine, folder / "state", **given):
            yield {"git_http_url": f"{address}/{origin.folder.name}"}


async def test_the_image_of_the_clone_checks_out_what_each_event_is_about(
    drone: EmbeddedDrone, engine: RealEngine, origin: Origin, tmp_path: Path
) -> None:
    first = origin.commit("file", TAGGED)
    origin.git("tag", "v1")
    second = origin.commit("file", MAIN)
    origin.git("checkout", "-q", "-b", "change", first)
    proposed = origin.commit("other", PROPOSED)
    origin.git("update-ref", "refs/pull/7/head", proposed)
    cases = (
        (Hook(after=second), 1, [MAIN], 1),
        (Hook(after=first), 0, [TAGGED], 1),
        (Hook(event="tag", ref="refs/tags/v1", after=first), 0, [TAGGED], 1),
        (Hook(event="pull_request", ref="refs/pull/7/head", after=proposed), 0, [MAIN, PROPOSED], 4),
    )
    async with cloning(drone, engine, origin, tmp_path) as settings:
        hooks = [(hook, pipeline(engine, depth)) for hook, depth, _, _ in cases]
        stages = [submit(drone, text, hook=hook, settings=settings) for hook, text in hooks]
        for id_, (hook, depth, files, commits) in zip(stages, cases, strict=True):
            stage = await ended(drone, id_)
            cloned, shown = log(drone, stage, "clone"), log(drone, stage, "a")
            assert stage.status == "success", cloned + shown
            assert f"for {hook.event} with {f'--depth={depth}' if depth else 'the whole history'}" in cloned
            printed = [line for line in shown.splitlines() if not line.startswith("+ ")]
            assert printed == ["/drone/src", *files, str(commits)]


async def test_a_commit_that_cannot_be_cloned_fails_the_build_with_what_git_says(
    drone: EmbeddedDrone, engine: RealEngine, origin: Origin, tmp_path: Path
) -> None:
    origin.commit("file", MAIN)
    async with cloning(drone, engine, origin, tmp_path) as settings:
        hook = Hook(after="12" * 20)
        stage = await ended(drone, submit(drone, pipeline(engine, 0), hook=hook, settings=settings))
    assert [(step.name, step.status) for step in stage.steps] == [("clone", "failure"), ("a", "skipped")]
    assert stage.status == "failure"
    assert "fatal: " in log(drone, stage, "clone")
