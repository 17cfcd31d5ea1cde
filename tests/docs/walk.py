"""Doing what a page says, block by block, in a folder of its own.

* A block after a line that ends with a file's name in code and a colon is written to that file, and so is a block whose
  first line is a comment with its name.
* A block of ``sh`` is typed into the reader's one terminal, and has to succeed; a block of ``text`` after it is what it
  has to print, where a line of three dots stands for any lines.
* A block of ``console`` has commands and what they print; those that print nothing there are not run.
* ``<!-- beside: WORDS -->`` before a block of ``sh``: it is typed into another terminal, where it goes on running until
  the end of the page, and has said WORDS.
* ``<!-- not run: WHY -->`` before a block: it is left out.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio

from tests.docs.blocks import Block, blocks_of
from tests.integration.command import Command, environment

__all__ = ["Walk", "is_shown", "walked"]

_NAMED = re.compile(r"# ([\w-]+\.\w+)\n")
_COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_FILE = re.compile(r"`((?!-)[\w./-]*\.\w+)`:\s*\Z")
_BESIDE = re.compile(r"<!-- beside: (.+?) -->\s*\Z")
_NOT_RUN = re.compile(r"<!-- not run: .+? -->\s*\Z")
_VARIES = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b|\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b|\b\d+-\d+ \d\d:\d\d:\d\d\b"
    r"|\b\d\d:\d\d:\d\d\b|\b\d+(\.\d+)?(ms|s|GiB|MiB)\b|\bprocess \d+\b"
)
"""Ids, commits, times, durations and sizes: a reader has others."""

_PORTS = ("8080", "9000")
"""What pages take; whoever walks takes free ones instead."""

_PATIENCE = 120.0


@asynccontextmanager
async def walked(page: Path, folder: Path) -> AsyncIterator[Walk]:
    """Do all that a page says; what runs beside goes on within the context."""
    async with AsyncExitStack() as stack:
        walk = Walk(folder, stack)
        for block in blocks_of(page):
            await walk.do(block)
        yield walk


class Walk:
    """A reader's folder and terminal, and what was last shown in it."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._shown = ""
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        _put_programs(folder)

    async def do(self, block: Block) -> None:
        """Do one block."""
        if _NOT_RUN.search(block.before):
            return
        text = block.text
        for port, free in self._ports.items():
            text = text.replace(port, free)
        if named := _FILE.search(block.before) or _NAMED.match(text):
            file = self.folder / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        elif block.language == "sh" and (beside := _BESIDE.search(block.before)):
            await self._start(text, beside[1])
        elif block.language == "sh":
            self._shown = await self._run(block, text)
        elif block.language == "text":
            assert is_shown(text, self._shown), f"{block}: it printed\n{self._shown}"
        elif block.language == "console":
            await self._try(block, text.replace("\\\n", ""))

    async def _try(self, block: Block, text: str) -> None:
        for command, shows in _COMMAND.findall(text):
            if shows:
                self._shown = await self._run(block, command)
                assert is_shown(shows, self._shown), f"{block}: {command} printed\n{self._shown}"

    async def _run(self, block: Block, script: str) -> str:
        """Type it where the block before was typed: the variables and the folder are as that has left them."""
        terminal = self.folder / ".reader" / "terminal"
        lines = ["exec 2>&1", f". {terminal}", script, f"{{ export -p; echo cd '\"'$PWD'\"'; }} > {terminal}"]
        with anyio.fail_after(_PATIENCE):
            done = await anyio.run_process(
                ["sh", "-ec", "\n".join(lines)], cwd=self.folder, env=self._variables(), check=False
            )
        assert done.returncode == 0, f"{block}: exit status {done.returncode}\n{done.stdout.decode()}"
        return done.stdout.decode()

    async def _start(self, script: str, words: str) -> None:
        command = Command(self.folder)
        running = await self._stack.enter_async_context(
            command.started_by("sh", "-ec", _as_one_process(script), **self._variables())
        )
        await running.said(words)
        self._stack.push_async_callback(running.ended)
        self._stack.callback(running.signal, signal.SIGTERM)

    def _variables(self) -> Mapping[str, str]:
        name = {f"GIT_{who}_{what}": "reader" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        path = f"{self.folder}/.reader/bin:{os.environ['PATH']}"
        site = f"{self.folder}/.reader/site"
        return environment(self.folder, PATH=path, PYTHONPATH=site, PYTHONDONTWRITEBYTECODE="1", **name)


def is_shown(page: str, printed: str) -> bool:
    """Whether a page shows what was printed, but for what is another each time, and what three dots stand for."""
    parts = [_alike(part) for part in re.split(r"^\.\.\.$", page, flags=re.MULTILINE)]
    return re.fullmatch(r".*".join(map(re.escape, parts)), _alike(printed), re.DOTALL) is not None


def _alike(text: str) -> str:
    """Without what is another each time, and what only a slow machine shows."""
    shown = (line for line in text.splitlines() if not line.startswith("waiting: "))
    lines = (re.sub(r" {2,}", "  ", _VARIES.sub("*", line)).rstrip() for line in shown)
    return "\n".join(lines).strip()


def _as_one_process(script: str) -> str:
    """The last line in the shell's place, so that a signal reaches it."""
    *before, last = script.replace("\\\n", " ").strip().splitlines()
    return "\n".join([*before, f"exec {last}"])


def _put_programs(folder: Path) -> None:
    """The commands that readers have; pip installs into a folder of its own, without a network."""
    programs = folder / ".reader" / "bin"
    programs.mkdir(parents=True)
    (folder / ".reader" / "terminal").touch()
    quiet = f"--quiet --no-deps --no-index --no-build-isolation --target {folder}/.reader/site"
    for name, line in {
        "delegate": f'exec {sys.executable} -m delegate_core "$@"',
        "python": f'exec {sys.executable} "$@"',
        "pip": f'exec {sys.executable} -m pip "$@" {quiet}',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)


def _free_ports(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
