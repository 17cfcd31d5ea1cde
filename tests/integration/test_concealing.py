"""What tasks and other processes of the same user can learn from a running runner."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from delegate_harness.manager import EmbeddedManager, Submission, Verdict
from tests.integration.command import Command, manager_settings

pytestmark = pytest.mark.anyio

RUN = ("run", "--backend", "harness", "--console", "plain", "--name", "mine", "--task-logs", "--min-free-disk", "0")
USER = 54321


@pytest.fixture
def as_user() -> list[str]:
    """What a command line begins with that runs as a user who is not root."""
    if os.geteuid() != 0:
        return []
    drop = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv to become another user")
    tried = subprocess.run([*drop, sys.executable, "-c", "import delegate_core"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("another user cannot read this Python or this checkout")
    return drop


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of that user's; pytest's own ones are closed to others."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0:
            os.chown(folder, USER, USER)
        yield Path(folder)


def started_with(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def script(*commands: str) -> Submission:
    return Submission("script", {"commands": list(commands), "trace": False}, abstractions={"name": "log"})


async def test_no_process_of_the_same_user_reads_the_runners_environment_memory_or_descriptors(
    as_user: list[str], home: Path
) -> None:
    command = [*as_user, sys.executable, "-m", "delegate_core", *RUN]
    async with (
        EmbeddedManager() as manager,
        Command(home).started_by(*command, **manager_settings(manager)) as runner,
    ):
        await runner.said("running")
        place = f"/proc/{runner.process.pid}"
        looks = [f"cat {place}/{name} >/dev/null && echo it is readable || :" for name in ("environ", "maps", "mem")]
        own = "cat /proc/$$/environ >/dev/null && echo its own is"
        task = manager.submit(script(own, *looks, f"ls {place}/fd || echo all tried"))
        await manager.wait_finished(task)
        await runner.said("all tried")
        outcome = manager.task(task).outcome
        assert outcome is not None
        assert outcome.verdict is Verdict.SUCCEEDED, runner.text
        assert "its own is" in runner.text
        assert "it is readable" not in runner.text
        assert runner.text.count("Permission denied") == 4, runner.text
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0


async def test_the_runners_secret_is_gone_from_its_environment_even_for_root_and_a_reload_still_knows_it(
    delegate: Command,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can look at the environment that a runner was started with")
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("running")
        environment = started_with(runner.process.pid)
        assert b"DELEGATE_ACCOUNT_ID=" + manager.account_id.encode() in environment
        assert manager.account_secret.encode() not in environment
        runner.signal(signal.SIGHUP)
        await runner.said("changed: nothing")
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0
        assert "needs a restart" not in runner.text


async def test_no_descriptor_of_the_runner_reaches_a_script(delegate: Command) -> None:
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("running")
        look = 'for each in /proc/$$/fd/*; do echo "has $(readlink $each)"; done'
        task = manager.submit(script(look, "echo listed"))
        await manager.wait_finished(task)
        await runner.said("listed")
        found = {line.partition("has ")[2] for line in runner.text.splitlines() if "has " in line}
        assert "/dev/null" in found
        strangers = {each for each in found if not each.startswith(("/dev/null", "pipe:")) and "/tasks/" not in each}
        assert strangers <= {""}, found
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0
