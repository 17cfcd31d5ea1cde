"""``delegate plugins show``, ``check`` and ``new``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.command import Command
from tests.integration.packages import install, installed_by_hand

GOOD = """
from delegate_core import handler, hookimpl

@handler("spam", limit=2)
def spam(data: int) -> int:
    return data

@hookimpl
def task_handlers():
    return [spam]

@hookimpl
def accept_task(offer):
    return None
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


async def test_show_says_where_a_plugin_comes_from_and_what_it_brings(command: Command) -> None:
    installed_by_hand(command.folder, "good", GOOD)
    shown = await command("plugins", "show", "good", PYTHONPATH=".")
    assert shown.code == 0
    assert shown.out.splitlines() == [
        "good, a plugin of good 1.2",
        "  module      good",
        "  hooks       task_handlers, accept_task",
        "  task types  spam (function: good.spam, at most 2 at once)",
    ]
    (one,) = json.loads((await command("plugins", "show", "harness", "--json")).out)
    assert (one["distribution"], one["problems"]) == ("delegate-harness", [])
    assert "create_backend" in one["hooks"]
    assert "account_id" in one["settings"]


async def test_check_names_everything_that_is_broken_and_why(command: Command) -> None:
    installed_by_hand(command.folder, "good", GOOD)
    installed_by_hand(command.folder, "same", GOOD)
    installed_by_hand(command.folder, "syntax", "def (")
    installed_by_hand(command.folder, "unknown", GOOD + "\n@hookimpl\ndef task_handler():\n    return []\n")
    installed_by_hand(command.folder, "colour", GOOD.replace("def accept_task", "async def accept_task"))
    installed_by_hand(command.folder, "raises", GOOD.replace("return [spam]", "return [1 / 0]"))
    installed_by_hand(
        command.folder, "twoargs", GOOD.replace("(data: int)", "(data: int, more: int)").replace('"spam"', '"two"')
    )
    installed_by_hand(command.folder, "engine", GOOD.replace("limit=2", "engine='oven'").replace('"spam"', '"bake"'))
    installed_by_hand(command.folder, "nobackend", GOOD, "delegate_core.backends")
    checked = await command("plugins", "check", "--json", PYTHONPATH=".")
    assert checked.code == 1
    problems = {one["name"]: " | ".join(one["problems"]) for one in json.loads(checked.out)}
    assert {name for name, text in problems.items() if not text} >= {"good", "drone", "harness"}
    for name, said in {
        "same": "two handlers for task type 'spam': one from plugin good (good 1.2), one from plugin same (same 1.2)",
        "syntax": "cannot be imported: SyntaxError: ",
        "unknown": "task_handler",
        "colour": "hook accept_task must be written with `def`, not `async def`",
        "raises": "task_handlers failed: ZeroDivisionError: ",
        "twoargs": "handler twoargs.spam takes (data, more)",
        "engine": "no installed plugin brings the engine 'oven' that it needs",
        "nobackend": "nobackend is no backend: it does not implement create_backend",
    }.items():
        assert said in problems[name], (name, problems[name])
    text = await command("plugins", "check", PYTHONPATH=".")
    assert "ok      good (good 1.2)\nbroken  " in text.out


async def test_check_finds_what_is_wrong_with_the_handlers_of_the_settings_file(command: Command) -> None:
    installed_by_hand(command.folder, "good", GOOD)
    (command.folder / "delegate.toml").write_text(
        '[handler.a]\nexecutable = "./none"\n[handler.b]\nforward = "http://x/"\n[handler.spam]\nexecutable = "sh"\n'
    )
    checked = await command("plugins", "check", PYTHONPATH=".")
    assert checked.code == 1
    for said in (
        f"broken  delegate.toml ({command.folder}/delegate.toml)\n",
        "handler 'a': the program ./none does not exist",
        "two handlers for task type 'spam': one from the settings file, one from plugin good (good 1.2)",
    ):
        assert said in checked.out
    (command.folder / "delegate.toml").write_text("[handler.a]\nexecutable = 5\n")
    assert "[handler.a] executable: " in (await command("plugins", "check", PYTHONPATH=".")).out


async def test_a_plugin_that_is_not_there_is_an_error_that_names_those_that_are(command: Command) -> None:
    shown = await command("plugins", "show", "nope")
    assert shown.code == 3
    assert shown.err.startswith("delegate: no plugin 'nope' is installed; installed: ")
    assert "drone, harness" in shown.err


async def test_a_new_package_passes_its_tests_and_is_found_once_it_is_installed(command: Command) -> None:
    made = await command("plugins", "new", "my-handlers", "--task-type", "greet/twice")
    assert made.code == 0, made.err
    project = command.folder / "my-handlers"
    assert run_tests(project).returncode == 0
    install(project, command.folder / "site")
    shown = await command("plugins", "show", "my-handlers", PYTHONPATH="site")
    assert "greet/twice (function: my_handlers.greet)" in shown.out
    (command.folder / "task.json").write_text('{"type": "greet/twice", "data": {"name": "Ada"}}')
    ran = await command("task", "task.json", PYTHONPATH="site")
    assert (ran.code, ran.out, ran.err) == (0, '{"greeted": "Ada"}\n', "hello Ada\n")


def run_tests(project: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(project)}
    return subprocess.run(line, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["json"], "'json' is a name of Python's own; choose another"),
        (["My Handlers"], "'My Handlers' cannot be a package's name"),
        (["delegate-core"], "delegate-core is the runner itself"),
        (["a", "--task-type", "x\ny"], "use letters, digits and _ . / -"),
        (["a", "--folder", "full"], "full is there already; choose another with --folder"),
        (["a", "--folder", "full/file/x"], "cannot write full/file/x: Not a directory"),
    ],
)
async def test_what_cannot_be_made_is_said(command: Command, arguments: list[str], said: str) -> None:
    (command.folder / "full").mkdir()
    (command.folder / "full" / "file").touch()
    made = await command("plugins", "new", *arguments)
    assert made.code == 2
    assert said in made.err
    assert not (command.folder / "a").exists()
