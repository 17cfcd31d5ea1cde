"""Commands that plugins bring."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from delegate_core.cli.app import build
from delegate_core.cli.contributed import GROUP
from tests.integration.command import Command

pytestmark = pytest.mark.anyio


def install(folder: Path, distribution: str, code: str, *lines: str) -> None:
    """A distribution as an installer leaves it, without building one."""
    (folder / f"{distribution}_commands.py").write_text(code)
    info = folder / f"{distribution}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")


GREET = '''
def greet(name: str = "you") -> None:
    """Say hello."""
    print(f"hello {name}")
'''


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


async def test_a_plugins_command_is_listed_and_run(command: Command) -> None:
    install(command.folder, "spam", GREET, "greet = spam_commands:greet")
    ran = await command("greet", "--name", "Ada", PYTHONPATH=str(command.folder))
    assert (ran.code, ran.out) == (0, "hello Ada\n")
    listed = await command("--help", PYTHONPATH=str(command.folder))
    assert "Say hello." in listed.out


async def test_a_plugin_cannot_replace_a_command_of_the_core(command: Command) -> None:
    install(command.folder, "spam", GREET, "version = spam_commands:greet", "tasks = spam_commands:greet")
    assert "hello" not in (await command("version", PYTHONPATH=str(command.folder))).out
    assert "Look at the tasks" in (await command("tasks", "--help", PYTHONPATH=str(command.folder))).out


async def test_a_broken_command_is_named_and_the_others_go_on(command: Command) -> None:
    install(command.folder, "spam", "raise RuntimeError('oops')", "bad = spam_commands:greet")
    ran = await command("bad", PYTHONPATH=str(command.folder))
    assert ran.code == 3
    assert ran.err == "delegate: command 'bad' of spam 1.2 cannot be used: RuntimeError: oops\n"
    assert (await command("version", PYTHONPATH=str(command.folder))).code == 0


async def test_two_plugins_with_one_command_are_both_named(command: Command) -> None:
    install(command.folder, "spam", GREET, "greet = spam_commands:greet")
    install(command.folder, "eggs", GREET, "greet = eggs_commands:greet")
    ran = await command("greet", PYTHONPATH=str(command.folder))
    assert ran.code == 3
    assert "spam 1.2" in ran.err
    assert "eggs 1.2" in ran.err


async def test_help_says_what_each_command_is_for_in_whole_sentences(command: Command) -> None:
    shown = (await command("--help", COLUMNS="80")).out
    assert "..." not in shown.replace("[ARGS]...", "")
    listed = re.findall(r"^  ([a-z]+)  +\S", shown.partition("Try it here:")[2], re.MULTILINE)
    commands: dict[str, Any] = vars(build([]))["commands"]
    assert sorted(listed) == sorted(name for name, each in commands.items() if not each.hidden)


@pytest.mark.parametrize("words", [(), ("run",), ("tasks", "list"), ("exec",)])
async def test_short_and_long_help_are_the_same(command: Command, words: tuple[str, ...]) -> None:
    short, long = await command(*words, "-h"), await command(*words, "--help")
    assert (short.code, short.out) == (0, long.out)


async def test_the_version_is_that_of_the_distribution(command: Command) -> None:
    assert (await command("--version")).out == f"delegate {version('delegate-core')}\n"
    assert (await command("version")).out == f"{version('delegate-core')}\n"
