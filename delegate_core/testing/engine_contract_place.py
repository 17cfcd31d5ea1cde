# ruff: noqa: S101, S106, D102 - these are tests: they assert, and each one's name is its sentence
"""Contract: a stage has a place of its own, and leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from delegate_core.engines.engine import EngineError, Surroundings
from delegate_core.pipeline.spec import Netrc, Stage, Workspace
from delegate_core.pipeline.states import Exited
from delegate_core.testing.engine_contract_base import EngineFixtures, EngineUnderTest, Open, Room

__all__ = ["PlaceContract"]

_NETRC = Netrc(machine="git.example.com", login="octocat", password="correct-horse")


class PlaceContract(EngineFixtures):
    """Folders: whose they are, and how long."""

    async def test_the_steps_of_a_stage_share_its_workspace(self, room: Room) -> None:
        await room.run("echo shared >file", name="first")
        assert (await room.run("cat file", name="second")).own == b"shared\n"

    async def test_two_stages_share_neither_workspace_nor_home(self, opened: Open) -> None:
        async with opened("one") as one, opened("two") as two:
            await one.run('echo here >file; echo here >"$HOME/file"')
            assert (await two.run('test ! -e file && test ! -e "$HOME/file"')).ending == Exited(0)

    async def test_a_stage_starts_with_an_empty_workspace_and_without_an_account(self, room: Room) -> None:
        ran = await room.run('ls -A; test ! -e "$HOME/.netrc"')
        assert (ran.ending, ran.own) == (Exited(0), b"")

    async def test_the_account_for_git_is_in_the_home_of_its_stage_only(self, opened: Open) -> None:
        async with opened("one", netrc=_NETRC) as one, opened("two") as two:
            ran = await one.run('cat "$HOME/.netrc"; ls -l "$HOME/.netrc"')
            words, listing = ran.lines
            assert words.split() == ["machine", "git.example.com", "login", "octocat", "password", "correct-horse"]
            assert listing.startswith("-rw-------")
            assert (await two.run('test -e "$HOME/.netrc"')).ending == Exited(1)

    @pytest.mark.parametrize("succeeded", [True, False])
    async def test_a_stage_leaves_nothing_behind(self, opened: Open, succeeded: bool) -> None:  # noqa: FBT001 - a case
        async with opened(netrc=_NETRC) as room:
            await room.run("mkdir -p deep/er; touch file deep/er/file; ln -s / link; chmod 0 deep/er deep")
            if not succeeded:
                room.place.failed()
        assert _content(room.folder) == []

    async def test_a_cancelled_stage_leaves_nothing_behind(self, opened: Open) -> None:
        with anyio.CancelScope() as scope:
            async with opened() as room:
                await room.run("touch file")
                scope.cancel()
                await anyio.sleep_forever()
        assert _content(room.folder) == []

    async def test_the_same_folder_serves_one_stage_after_the_other(self, opened: Open) -> None:
        async with opened("same") as room:
            await room.run("touch file")
        async with opened("same") as room:
            assert (await room.run("ls -A")).own == b""

    async def test_a_folder_used_in_place_stays_as_it_is(self, opened: Open, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.mkdir(mode=0o755)
        (source / "file").write_text("mine\n")
        async with opened(workspace=Workspace(source=str(source)), netrc=_NETRC) as room:
            assert (await room.run("cat file; touch new")).own == b"mine\n"
            room.place.failed()
        assert sorted(os.listdir(source)) == ["file", "new"]  # noqa: PTH208 - names are what is compared
        assert source.stat().st_mode & 0o777 == 0o755

    @pytest.mark.parametrize("kind", ["missing", "file"])
    async def test_a_folder_that_cannot_be_used_in_place_is_an_error_that_names_it(
        self,
        under_test: EngineUnderTest,
        surroundings: Callable[[Path, float], Surroundings],
        tmp_path: Path,
        kind: str,
    ) -> None:
        source, own = tmp_path / "source", surroundings(tmp_path / "stage", 1.0)
        if kind == "file":
            source.touch()
        stage = Stage(name="stage", workspace=Workspace(source=str(source)), netrc=_NETRC)
        with pytest.raises(EngineError, match=str(source)):
            async with under_test.engine().open(stage, own):
                pytest.fail("it was opened")
        assert _content(own.folder) == []


def _content(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))
