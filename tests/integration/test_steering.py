"""Orders to a running runner, through the socket in its state folder."""

from __future__ import annotations

import getpass
import json
import signal
import socket
import stat
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from delegate_core.control import Order, ask
from delegate_harness.manager import EmbeddedManager, Submission, TaskStatus
from tests.integration.command import Command, manager_settings

pytestmark = pytest.mark.anyio

RUN = ("run", "--backend", "harness", "--console", "plain", "--name", "mine")
WHOSE = ("--backend", "harness", "--name", "mine")


def script(*commands: str) -> Submission:
    return Submission("script", {"commands": list(commands)}, abstractions={"name": "log"})


def state_folder(delegate: Command) -> Path:
    return delegate.folder / "state" / "delegate" / "harness" / "mine"


async def test_a_runner_is_paused_resumed_and_drained(delegate: Command) -> None:
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("registered")
        paused = await delegate("pause", *WHOSE, "--reason", "new disk")
        assert (paused.code, "takes no new task" in paused.out) == (0, True)
        await runner.said(f"paused by {getpass.getuser()}: new disk")
        task_id = manager.submit(script("echo hello"))
        polls = manager.state.calls["task-events"]
        await manager.wait_for(lambda state: state.calls["task-events"] > polls + 2)
        assert manager.task(task_id).status is TaskStatus.QUEUED

        assert (await delegate("resume", *WHOSE)).code == 0
        await manager.wait_finished(task_id)
        async with delegate.started(*RUN, "--lock-timeout", "5m", **manager_settings(manager)) as successor:
            await successor.said("waiting up to 5m")
            drained = await delegate("drain", "--wait", *WHOSE)
            assert (drained.code, "has left" in drained.out) == (0, True)
            assert await runner.ended() == 0
            await successor.said("registered")
            successor.signal(signal.SIGTERM)
            assert await successor.ended() == 0
    for order in ("pause", "drain"):
        nobody = await delegate(order, *WHOSE)
        assert (nobody.code, "no runner is running in" in nobody.err) == (6, True)
    assert not (state_folder(delegate) / "control").exists()


async def test_the_only_runner_here_need_not_be_named(delegate: Command) -> None:
    nothing = await delegate("status")
    assert (nothing.code, "there is no runner in" in nothing.err) == (2, True)
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("registered")
        task_id = manager.submit(script("echo hello"))
        await manager.wait_finished(task_id)
        assert "slots in use" in (await delegate("status")).out
        assert task_id[:4] in (await delegate("tasks", "list")).out
        again = ("run", "--backend", "harness", "--console", "plain", "--name", "other")
        async with delegate.started(*again, **manager_settings(manager)) as other:
            await other.said("registered")
            unclear = await delegate("pause")
            assert unclear.code == 2
            assert unclear.err.startswith("delegate: which of 2 runners? say:\n  --state-dir ")
            assert "harness/mine" in unclear.err
            assert (await delegate("drain", "--wait", "--backend", "harness", "--name", "other")).code == 0
        assert (await delegate("drain", "--wait")).code == 0  # the only one that runs
        assert await runner.ended() == 0


async def test_the_socket_is_its_owners_and_what_is_no_order_is_answered_and_harmless(delegate: Command) -> None:
    deep = delegate.folder / ("deep" * 30)
    async with EmbeddedManager() as manager:
        async with delegate.started(*RUN, "--state-dir", str(deep), **manager_settings(manager)) as runner:
            await runner.said("registered")
            await runner.said("running")
            assert stat.S_IMODE((deep / "control").stat().st_mode) == 0o600
            for words in (b"nonsense\n", b'{"do": "format"}\n', b'{"do": "pause", "also": 1}\n', b"\xff\n"):
                assert b"no order that this version knows" in said(deep, words)
            assert said(deep, b"x" * 1_000_000) == b""
            assert ask(deep, Order(do="status")).state == "running"
            runner.kill()
        async with delegate.started(*RUN, "--state-dir", str(deep), **manager_settings(manager)) as again:
            await again.said("registered")
            assert ask(deep, Order(do="stop")).error == "", "what a killed runner left is no obstacle"
            assert await again.ended() == 0


def said(folder: Path, words: bytes) -> bytes:
    """What the runner answers to these words."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(20)
        connection.connect(_short(folder))
        try:
            connection.sendall(words)
            return connection.recv(1_000_000)
        except ConnectionError:
            return b""


def _short(folder: Path) -> str:
    link = folder.parent / "s"
    if not link.exists():
        link.symlink_to(folder)
    return str(link / "control")


async def test_a_runner_that_has_no_descriptor_left_for_a_caller_lives_and_hears_it_later(delegate: Command) -> None:
    """Anybody on this machine may hold connections to its status server, which take them."""
    limited = ("bash", "-c", 'ulimit -n 64; exec "$@"', "-", sys.executable, "-m", "delegate_core")
    async with EmbeddedManager() as manager:
        variables = manager_settings(manager)
        async with delegate.started_by(*limited, *RUN, "--status", "127.0.0.1:0", **variables) as runner:
            await runner.said("registered")
            await runner.said("running")
            folder = state_folder(delegate)
            with ExitStack() as held:
                async with anyio.create_task_group() as group:
                    group.start_soon(_call_again_and_again, folder, held)
                    await runner.said("no orders can be taken for now: Too many open files")
                    group.cancel_scope.cancel()
            answer = await anyio.to_thread.run_sync(ask, folder, Order(do="status"))
            assert answer.state == "running"
            runner.kill()


async def _call_again_and_again(folder: Path, held: ExitStack) -> None:
    """Hold ever more connections to the status and to the socket for orders; those that it closes are opened anew."""
    while True:
        for family, address in [(socket.AF_INET, _status_of(folder))] * 10 + [(socket.AF_UNIX, _short(folder))]:
            connection = held.enter_context(socket.socket(family))
            connection.setblocking(False)
            with suppress(BlockingIOError):
                connection.connect(address)
        await anyio.sleep(0.1)


def _status_of(folder: Path) -> tuple[str, int]:
    url = json.loads((folder / "status.json").read_text())["url"]
    return "127.0.0.1", int(url.rpartition(":")[2])


async def test_the_status_of_a_runner_is_a_word_its_reason_and_an_exit_code(delegate: Command) -> None:
    gone = await delegate("status", *WHOSE)
    assert (gone.code, "no runner is running" in gone.err) == (6, True)
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("registered")
        await manager.wait_for(lambda state: state.calls["task-events"] > 0)
        well = await delegate("status", *WHOSE)
        assert well.code == 0
        assert "is waiting for" in well.out
        assert "no task for this runner on the server\nready, 0 of 100 slots in use" in well.out
        await delegate("pause", *WHOSE)
        paused = await delegate("status", *WHOSE, "--json")
        assert paused.code == 1
        assert json.loads(paused.out)["standing"] == "paused"


async def test_maintenance_is_told_to_a_runner_or_to_the_next_one_and_survives_its_restart(delegate: Command) -> None:
    told = await delegate("maintenance", "on", *WHOSE, "--message", "new disk", "--for", "2h")
    assert (told.code, "the next runner there starts in maintenance" in told.out) == (0, True)
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await runner.said("new disk")
        shown = await delegate("maintenance", "show", *WHOSE)
        assert (shown.code, "until" in shown.out) == (1, True)
        resumed = await delegate("resume", *WHOSE)
        assert "is not paused any more; it is maintenance: in maintenance by" in resumed.out
        assert (await delegate("maintenance", "off", *WHOSE)).code == 0
        await runner.said("resumed")
    wrong = await delegate("maintenance", "on", *WHOSE, "--for", "soon")
    assert (wrong.code, "--for 'soon': give a number of seconds" in wrong.err) == (2, True)
