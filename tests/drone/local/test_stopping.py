"""Signals, timeouts and what is left after them."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import anyio
import psutil
import pytest

from delegate_core.testing.bench import PATIENCE
from delegate_drone.local.surroundings import KillableSurroundings
from tests.drone.local.command import Command
from tests.processes.recorder import shell


def steps(command: str, after: str = "touch after") -> str:
    build = f"- name: build\n  commands:\n  - |\n    {command}\n"
    return f"kind: pipeline\ntype: exec\nname: default\nsteps:\n{build}- name: after\n  commands: [ {after} ]\n"


TRAPPED = "trap 'echo cleaning; exit 0' TERM; echo $$$$ > pid; echo ready; while :; do sleep 0.05; done"
STUBBORN = "trap 'echo no' TERM; echo $$$$ > pid; echo ready; while :; do sleep 0.05 || true; done"


def is_gone(folder: Path) -> bool:
    """Whether the step's shell is, whose pid it has written."""
    try:
        return psutil.Process(int((folder / "pid").read_text())).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_signal_cancels_and_lets_the_step_clean_up(
    delegate: Command, number: signal.Signals, code: int
) -> None:
    delegate.write(steps(TRAPPED))
    with delegate.started("exec") as running:
        running.said("[build] ready")
        running.send(number)
        assert running.ended() == code
    assert f"==> {number.name}: ending what runs; once more kills it\n" in running.text
    assert "[build] cleaning" in running.text
    assert "build  killed   137" in running.text
    assert "after  skipped" in running.text
    assert is_gone(delegate.folder)
    assert not (delegate.folder / "after").exists()
    assert delegate.left_behind() == []


def test_the_second_signal_kills_at_once(delegate: Command) -> None:
    delegate.write(steps(STUBBORN))
    with delegate.started("exec") as running:
        running.said("[build] ready")
        running.send(signal.SIGINT)
        running.said("[build] no")
        running.send(signal.SIGINT)
        assert running.ended() == 130
    assert is_gone(delegate.folder)
    assert delegate.left_behind() == []


_LONG = PATIENCE + 20
"""Seconds of a grace that nobody is to wait for."""


@pytest.mark.anyio
async def test_a_kill_cuts_a_grace_short_that_has_begun(tmp_path: Path) -> None:
    surroundings, said = KillableSurroundings(tmp_path, grace=_LONG), anyio.Event()
    spec = shell("trap 'echo no' TERM; echo ready; while :; do sleep 0.05 || true; done", tmp_path, grace=_LONG)

    def read(text: bytes, _stream: str) -> None:
        if b"no" in text:
            said.set()
        elif b"ready" in text:
            group.cancel_scope.cancel()

    async def kill() -> None:
        with anyio.move_on_after(PATIENCE, shield=True):
            await said.wait()
            await surroundings.kill()

    with anyio.move_on_after(PATIENCE, shield=True) as patience:
        async with anyio.create_task_group() as group:
            group.start_soon(kill)
            await surroundings.run(spec, read)
    assert not patience.cancel_called, "it waited for the grace"


def test_a_signal_ends_all_pipelines(delegate: Command) -> None:
    delegate.write(steps(TRAPPED) + "---\n" + steps("touch second").replace("default", "second"))
    with delegate.started("exec") as running:
        running.said("[default/build] ready")
        running.send(signal.SIGINT)
        assert running.ended() == 130
    assert "second: not run: the run was cancelled" in running.text
    assert not (delegate.folder / "second").exists()


def test_a_signal_during_the_clone_ends_it(delegate: Command) -> None:
    delegate.write(steps("touch built"))
    delegate.commit()
    slow = f'#!/bin/sh\ncase "$*" in *fetch*) echo cloning; exec sleep 30;; esac\nexec {shutil.which("git")} "$@"\n'
    delegate.write(slow, "bin/git").chmod(0o755)
    path = f"{delegate.folder / 'bin'}:{os.environ['PATH']}"
    with delegate.started("exec", "--clone", PATH=path) as running:
        running.said("[clone] cloning")
        running.send(signal.SIGINT)
        assert running.ended() == 130
    assert delegate.left_behind() == []


def test_a_run_whose_output_nobody_reads_still_ends_at_a_signal(delegate: Command) -> None:
    delegate.write(steps("echo $$$$ > pid; touch ready; yes"))
    with delegate.started("exec", reading=False) as running:
        deadline = time.monotonic() + 20
        while not (delegate.folder / "ready").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send(signal.SIGTERM)
        assert running.ended() == 143
    assert is_gone(delegate.folder)


def test_a_timeout_has_its_own_exit_status(delegate: Command) -> None:
    delegate.write(steps(TRAPPED))
    ended = delegate("exec", "--timeout", "300ms")
    assert ended.code == 124
    assert "timed out" in ended.out
    assert is_gone(delegate.folder)
    assert delegate.left_behind() == []


def test_what_a_step_leaves_in_the_background_ends_with_it(delegate: Command) -> None:
    delegate.write(steps("sleep 100 & echo $! > pid"))
    assert delegate("exec").code == 0
    assert is_gone(delegate.folder)
