"""Completion in the real shells: what is typed, a Tab, and what the line is then."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.abc import Process

from tests.console.terminal import TestTerminal, open_terminal
from tests.integration.command import PATIENCE, Command, environment

_OPTION = "delegate run --backend drone --platform-a"
"""An option that only the backend has that is named before it."""


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def _needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


BASH = """
eval "$(_DELEGATE_COMPLETE=source_bash delegate)"
say() {
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _delegate_completion delegate
  echo "${COMPREPLY[@]}"
}
"""


@_needs("bash")
async def test_bash_completes_commands_and_the_options_of_the_backend_that_is_named(delegate: Command) -> None:
    script = BASH + f"say delegate maint\nsay {_OPTION}\nsay delegate run --backend dro --platform-a\n"
    async with delegate.started_by("bash", "-c", script, PATH=_path()) as shell:
        assert await shell.ended() == 0
    assert shell.text == "maintenance\n--platform-arch\n\n"


FISH = """
set -x fish_history ''
_DELEGATE_COMPLETE=source_fish delegate | source
"""


@_needs("fish")
async def test_fish_completes_an_option_of_the_backend_with_its_help(delegate: Command) -> None:
    script = FISH + f"complete --do-complete '{_OPTION}'"
    async with delegate.started_by("fish", "--no-config", "--command", script, PATH=_path()) as shell:
        assert await shell.ended() == 0
    assert shell.text.startswith("--platform-arch\tThe architecture whose builds are taken"), shell.text


ZSH = """
autoload -Uz compinit && compinit -u -D
eval "$(_DELEGATE_COMPLETE=source_zsh delegate)"
told() { print -r -- "<$BUFFER>"; zle kill-whole-line }
zle -N told
bindkey '^T' told
"""


@_needs("zsh")
async def test_zsh_completes_an_option_of_the_backend_in_its_line_editor(delegate: Command) -> None:
    (delegate.folder / "set-up.zsh").write_text(ZSH)
    with open_terminal(200, 24, raw=False) as terminal:
        async with await _in_terminal(terminal, delegate.folder, "setsid", "--ctty", "zsh", "-f", "-i") as zsh:
            try:
                terminal.press("source ./set-up.zsh\r")
                terminal.press(f"{_OPTION}\t\x14")
                await anyio.to_thread.run_sync(terminal.wait_for, f"<{_OPTION}rch >", PATIENCE)
            finally:
                zsh.kill()


async def _in_terminal(terminal: TestTerminal, folder: Path, *line: str) -> Process:
    """A program with this terminal and no other."""
    there = terminal.stream.fileno()
    environ = environment(folder, PATH=_path(), TERM="vt100")
    return await anyio.open_process(line, stdin=there, stdout=there, stderr=there, cwd=folder, env=environ)
