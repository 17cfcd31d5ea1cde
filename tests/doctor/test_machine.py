"""This machine, the settings, the plugins, the state folder, and the runner that may have it."""

from __future__ import annotations

import getpass
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from delegate_core.statefolder import StateFolder
from delegate_harness.manager import EmbeddedManager
from tests.doctor.examining import Examine
from tests.integration.command import Command, manager_settings

pytestmark = pytest.mark.anyio

SETTINGS, PLUGINS, STATE = 2, 3, 6
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one page, which is full."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    (folder / "fill").write_bytes(b"x" * 60 * 1024)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that not even root can write to."""
    folder = tmp_path / "fixed"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


# ---------------------------------------------------------------------- settings and plugins


async def test_settings_that_cannot_be_used_are_named_and_the_machine_is_looked_at_even_so(examine: Examine) -> None:
    found = await examine("--backend", "harness", "--insecure")
    for words in ("endpoint: missing", "account_id: missing"):
        assert words in found.text("settings")
    assert found.status("shell") == "ok"
    assert found.code == SETTINGS


async def test_a_variable_that_is_misspelled_is_a_warning_with_the_name_that_is_meant(examine: Examine) -> None:
    found = await examine.drone(NOWHERE, DELEGATE_CAPACTIY="4")
    assert found.status("settings") == "warning"
    assert "did you mean DELEGATE_CAPACITY?" in found.text("settings")


async def test_a_handler_that_cannot_be_loaded_is_a_problem_as_it_would_be_for_a_start(examine: Examine) -> None:
    (examine.folder / "mine.py").write_text("import nothing_of_the_kind\n")
    found = await examine.drone(NOWHERE, "--handlers", "mine.py")
    assert "nothing_of_the_kind" in found.text("plugins")
    assert found.code == PLUGINS


async def test_a_plugin_adds_checks_and_takes_the_place_of_the_cores(examine: Examine) -> None:
    found = await examine.drone(NOWHERE, "--plugin", "tests.doctor.licensed", "--capacity", "3")
    assert found.text("licence") == "3 days, for 3 tasks; to do: buy another"
    assert "the check itself failed: RuntimeError: boom" in found.text("shell")


async def test_a_plugin_whose_diagnostics_fail_is_a_problem_and_spoils_no_other_check(examine: Examine) -> None:
    found = await examine.drone(NOWHERE, "--plugin", "tests.doctor.mistaken")
    assert "1 is no delegate_core.diagnosis.Check" in found.text("plugin tests.doctor.mistaken")
    assert found.status("shell") == "ok"


# ---------------------------------------------------------------------- the machine


async def test_without_git_and_a_shell_exec_pipelines_cannot_run_and_both_are_problems(examine: Examine) -> None:
    (examine.folder / "bin").mkdir()
    found = await examine.drone(NOWHERE, PATH=str(examine.folder / "bin"))
    assert {"shell", "git"} <= set(found.problems)
    assert "install git, needed to clone for exec pipelines" in found.text("git")


async def test_without_git_a_harness_runner_is_only_warned(examine: Examine) -> None:
    (examine.folder / "bin").mkdir()
    given = {"DELEGATE_ACCOUNT_ID": "a", "DELEGATE_ACCOUNT_SECRET": "ab" * 16, "PATH": str(examine.folder / "bin")}
    found = await examine("--backend", "harness", "--endpoint", NOWHERE, **given)
    assert found.status("git") == "warning"


async def test_a_git_that_does_not_start_is_not_called_well(examine: Examine) -> None:
    (examine.folder / "git").write_text("#!/bin/sh\necho broken; exit 3\n")
    (examine.folder / "git").chmod(0o755)
    found = await examine.drone(NOWHERE, PATH=f"{examine.folder}:/bin:/usr/bin")
    assert "ends with status 3: broken" in found.text("git")


@pytest.mark.parametrize(("setting", "check"), [("min-free-disk", "disk"), ("min-free-memory", "memory")])
async def test_too_little_room_for_tasks_is_a_problem(examine: Examine, setting: str, check: str) -> None:
    found = await examine.drone(NOWHERE, f"--{setting}", "1000TiB")
    assert found.status(check) == "problem"
    assert "no task is taken" in found.text(check)


async def test_a_disk_that_is_full_is_a_problem_of_the_disk(examine: Examine, tiny_disk: Path) -> None:
    found = await examine.drone(NOWHERE, "--state-dir", str(tiny_disk / "state"))
    assert found.status("disk") == "problem"
    assert f"free in {tiny_disk}" in found.text("disk")


async def test_the_disk_of_the_tasks_folders_is_looked_at_too(examine: Examine, tiny_disk: Path) -> None:
    found = await examine.drone(NOWHERE, "--work-dir", str(tiny_disk / "work"))
    assert (found.status("disk"), found.status("disk of tasks")) == ("ok", "problem")
    assert "--work-dir" in found.text("disk of tasks")


# ---------------------------------------------------------------------- the state folder


async def test_a_state_folder_is_looked_at_and_not_made(examine: Examine) -> None:
    found = await examine.drone(NOWHERE, "--state-dir", "new/state")
    assert "is not there yet; a start makes it" in found.text("state folder")
    assert not (examine.folder / "new").exists()


async def test_a_state_folder_that_cannot_be_written_is_a_problem(examine: Examine, read_only: Path) -> None:
    found = await examine.drone(NOWHERE, "--state-dir", str(read_only / "state"))
    assert f"cannot write in {read_only}: Read-only file system" in found.text("state folder")
    assert found.code == STATE


async def test_a_state_folder_that_others_may_look_into_is_a_warning(examine: Examine) -> None:
    (examine.folder / "open").mkdir(mode=0o755)
    found = await examine.drone(NOWHERE, "--state-dir", "open")
    assert found.text("state folder").endswith(f"to do: chmod 700 {examine.folder / 'open'}")


async def test_a_damaged_journal_is_a_problem(examine: Examine) -> None:
    (examine.folder / "state").mkdir(mode=0o700)
    (examine.folder / "state" / "journal.sqlite").write_bytes(b"not a database" * 100)
    found = await examine.drone(NOWHERE, "--state-dir", "state")
    assert "cannot be read" in found.text("state folder")
    assert found.code == STATE


async def test_a_process_that_has_the_folder_and_takes_no_orders_is_named(examine: Examine) -> None:
    with StateFolder(examine.folder / "state"):
        found = await examine.drone(NOWHERE, "--state-dir", "state")
    assert found.status("runner") == "warning"
    assert "has the state folder and takes no orders" in found.text("runner")


async def test_a_name_that_another_runner_has_already_is_a_problem_on_the_manager(examine: Examine) -> None:
    with StateFolder(examine.folder / "state" / "delegate" / "harness" / "mine"):
        given = {"DELEGATE_ACCOUNT_ID": "a", "DELEGATE_ACCOUNT_SECRET": "ab" * 16}
        line = ("--backend", "harness", "--endpoint", NOWHERE, "--name", "mine", "--state-dir", "elsewhere")
        found = await examine(*line, **given)
    assert "is that delegate already, and gets the same tasks; to do: give one of them another --name" in found.text(
        "identity"
    )


# ---------------------------------------------------------------------- beside a runner


async def test_beside_a_running_runner_it_says_how_that_one_is_and_disturbs_nothing(examine: Examine) -> None:
    run = ("run", "--backend", "harness", "--name", "mine", "--console", "plain")
    async with (
        EmbeddedManager() as manager,
        Command(examine.folder).started(*run, **manager_settings(manager)) as running,
    ):
        await running.said("registered")
        await manager.wait_for(lambda state: state.calls["task-events"] > 0)
        well = await examine.harness(manager, "--name", "mine")
        assert re.search(r"process \d+ is waiting for \S+: no task for this runner on the server", well.text("runner"))
        assert well.code == 0
        await Command(examine.folder)("pause", "--backend", "harness", "--name", "mine")
        paused = await examine.harness(manager, "--name", "mine")
        assert paused.status("runner") == "problem"
        assert f"paused by {getpass.getuser()}; to do: `delegate resume`" in paused.text("runner")
        assert manager.state.calls["register"] == 1
