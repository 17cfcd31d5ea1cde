"""docs/tutorials/first-handler.md, done step by step as it stands there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from tests.integration.command import Command, environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorials" / "first-handler.md").read_text("utf-8")
_FILE = re.compile(r"`([\w./-]+\.(?:py|json))`:\n\n```(?:python|json)\n(.*?)```", re.DOTALL)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the commands of the page on the path; pip installs into a folder of its own, without a network."""
    folder = tmp_path_factory.mktemp("tutorial")
    programs = folder / "bin"
    programs.mkdir()
    quiet = f"--quiet --no-deps --no-index --no-build-isolation --target {folder}/site"
    for name, line in {
        "delegate": f'exec {sys.executable} -m delegate_core "$@"',
        "python": f'exec {sys.executable} "$@"',
        "pip": f'exec {sys.executable} -m pip "$@" {quiet}',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    return folder


def variables(place: Path) -> dict[str, str]:
    path = f"{place}/bin:{os.environ['PATH']}"
    return environment(place, PATH=path, PYTHONPATH=f"{place}/site", PYTHONDONTWRITEBYTECODE="1")


def sh(place: Path, command: str) -> str:
    """What a reader sees."""
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=place,
        env=variables(place),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.mark.timeout(180)  # a dozen processes, pip and a build among them
def test_every_step_of_the_page_works_and_shows_what_it_says(place: Path) -> None:
    position = 0
    shown = ""
    while (block := _BLOCK.search(PAGE, position)) is not None:
        named = _FILE.search(PAGE, position)
        if named is not None and named.end() == block.end():
            (place / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (place / named[1]).write_text(named[2])
        elif block[1] == "sh" and "submit" not in block[2]:
            shown = sh(place, block[2])
        elif block[1] == "text":
            assert shown == block[2]
        position = block.end()
    assert sorted(one.suffix for one in (place / "dist").iterdir()) == [".gz", ".whl"]


async def test_its_last_step_on_a_server_works_too(place: Path) -> None:
    command = Command(place)
    given = variables(place)
    async with command.started("dev", "--backend", "harness", "--status", "off", **given) as running:
        await running.said("queue a task")
        submit = next(text for kind, text in _BLOCK.findall(PAGE) if kind == "sh" and "submit" in text)
        done = await anyio.run_process(["sh", "-ec", submit], cwd=place, env=given, check=False)
        assert b"succeeded: slug" in done.stdout, done.stdout + done.stderr
        assert b'"slug": "hello-world"' in done.stdout
        running.signal(signal.SIGTERM)
        await running.ended()
