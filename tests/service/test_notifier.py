"""What systemd hears of a runner: a real process, over the socket that a service manager gives it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from delegate_core.service import Notifier
from delegate_harness.manager import EmbeddedManager
from tests.integration.command import Command


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        yield listener


async def heard(manager: socket.socket, *wanted: str) -> list[str]:
    """What is said until all of this was; order is kept."""
    lines: list[str] = []
    while not set(wanted) <= set(lines):
        lines += (await anyio.to_thread.run_sync(manager.recv, 4096)).decode().split("\n")
    return lines


async def test_it_is_ready_when_registered_feeds_the_watchdog_and_says_that_it_stops(
    manager: socket.socket, tmp_path: Path
) -> None:
    async with EmbeddedManager() as server:
        variables = {
            "DELEGATE_ENDPOINT": server.url,
            "DELEGATE_ACCOUNT_ID": server.account_id,
            "DELEGATE_ACCOUNT_SECRET": server.account_secret,
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "200000",
        }
        async with Command(tmp_path).started(
            "run", "--backend", "harness", "--console", "plain", **variables
        ) as runner:
            lines = await heard(manager, "READY=1", "STATUS=running")
            assert lines.index("STATUS=registering") < lines.index("READY=1")
            await heard(manager, "WATCHDOG=1")
            await heard(manager, "WATCHDOG=1")
            runner.signal(signal.SIGTERM)
            await heard(manager, "STOPPING=1", "STATUS=draining: received SIGTERM", "STATUS=stopped: received SIGTERM")
            assert await runner.ended() == 0


def test_the_variables_are_taken_out_so_that_no_child_speaks_for_the_runner() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1", "PATH": "/bin"}
    Notifier.of(environ)
    assert environ == {"PATH": "/bin"}


async def test_a_watchdog_that_is_meant_for_another_process_is_not_fed() -> None:
    with anyio.fail_after(40):
        await Notifier.of({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid() + 1)}).feed()


def test_nobody_listening_hurts_nothing(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "nobody")).runner_state("running", "")
    Notifier("@abstract-nobody").runner_state("running", "with a reason")
    Notifier(None).runner_state("running", "")
