"""The unit file: what it says, that systemd takes it, and that it is installed where it belongs."""

from __future__ import annotations

import shutil
from pathlib import Path

import anyio
import pytest

from tests.integration.command import Command, Ended

_DRONE = {"DRONE_RPC_HOST": "drone.example", "DRONE_RPC_SECRET": "invented"}


async def shown(delegate: Command, *flags: str, **variables: str) -> Ended:
    return await delegate("service", "show", "--backend", "drone", *flags, **{**_DRONE, **variables})


@pytest.fixture
def delegate(tmp_path: Path) -> Command:
    return Command(tmp_path)


async def test_it_starts_the_runner_of_the_settings_and_gives_a_drain_its_time(delegate: Command) -> None:
    config = delegate.folder / "my settings.toml"
    config.write_text('name = "builder-1"\ndrain_timeout = "10m"\ngrace = "20s"\n')
    unit = await shown(delegate, "--config", str(config), "--user", "ci")
    assert unit.code == 0, unit.err
    lines = unit.out.splitlines()
    assert f'run --backend drone --name builder-1 --console plain --config "{config}"' in unit.out
    assert {"User=ci", "TimeoutStopSec=635", "TimeoutStartSec=90", "Type=notify", "KillMode=mixed"} <= set(lines)
    assert {"StateDirectory=delegate-builder-1", "Environment=DELEGATE_STATE_DIR=%S/delegate-builder-1"} <= set(lines)
    assert f"EnvironmentFile=-{delegate.folder}/environment" in lines
    assert "invented" not in unit.out


async def test_a_state_folder_of_the_settings_is_left_to_them(delegate: Command) -> None:
    unit = await shown(delegate, DELEGATE_STATE_DIR="/srv/delegate")
    assert "StateDirectory=" not in unit.out


async def test_tasks_of_other_users_have_a_folder_that_these_get_to_and_a_runner_that_is_root(
    delegate: Command,
) -> None:
    unit = await shown(delegate, "--name", "builder-1", DELEGATE_RUN_AS="nobody")
    wanted = {
        "CacheDirectoryMode=0711",
        "Environment=DELEGATE_WORK_DIR=%C/delegate-builder-1",
        "StateDirectoryMode=0700",
    }
    assert wanted <= set(unit.out.splitlines())
    assert "User=" not in unit.out
    for flags in (("--user", "ci"), ("--user-service",)):
        refused = await shown(delegate, *flags, DELEGATE_RUN_AS="nobody")
        assert (refused.code, "only root has tasks run as other users" in refused.err) == (2, True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on the path")
@pytest.mark.parametrize("name", ["builder-1", '100% odd "name" $HOME'])
async def test_systemd_takes_it(delegate: Command, name: str) -> None:
    unit = await shown(delegate, "--name", name)
    file = delegate.folder / "delegate-test.service"
    file.write_text(unit.out)
    with anyio.fail_after(50):
        checked = await anyio.run_process(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(file)], check=False
        )
    assert (checked.returncode, checked.stderr) == (0, b"")


async def test_a_users_own_unit_is_installed_in_their_folder_once(delegate: Command) -> None:
    flags = ("service", "install", "--backend", "drone", "--name", "a/b", "--user-service")
    first = await delegate(*flags, **_DRONE)
    file = delegate.folder / ".config" / "systemd" / "user" / "delegate-a_b.service"
    assert first.code == 0, first.err
    assert "WantedBy=default.target" in file.read_text()
    assert "systemctl --user enable --now delegate-a_b.service" in " ".join(first.out.split())
    again = await delegate(*flags, **_DRONE)
    assert (again.code, "--force replaces it" in again.err) == (2, True)
    assert (await delegate(*flags, "--force", **_DRONE)).code == 0


async def test_settings_with_which_it_would_not_start_are_refused(delegate: Command) -> None:
    refused = await delegate("service", "install", "--backend", "drone", "--user-service")
    assert (refused.code, "server: missing" in refused.err) == (2, True)
    assert not (delegate.folder / ".config").exists()
