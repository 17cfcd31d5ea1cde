"""Every code block of every page: its language is known, and what is in it is checked as what it claims to be."""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from delegate_drone.local.lint import lint_files
from tests.docs.blocks import ROOT, Block, all_blocks
from tests.docs.command_line import parse
from tests.docs.settings_file import problems
from tests.docs.shell import lines_of, words_of

_PROGRAMS = """
cat cd chmod cp curl docker echo export git head journalctl kill loginctl ls mkdir openssl pip pipx podman printf pytest
python python3 rm sed set sleep systemctl tar test touch trap true umask useradd uv vault watch xdg-open . ./resize
"""

OTHERS = frozenset(_PROGRAMS.split())
"""Programs besides ours and make that pages use. A new one is added here once somebody has looked at it."""


def of(*languages: str) -> tuple[Block, ...]:
    return tuple(block for block in all_blocks() if block.language in languages)


def every(*languages: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.parametrize("block", of(*languages), ids=str)


def test_every_block_says_a_language_that_is_checked() -> None:
    known = {"console", "dockerfile", "ini", "json", "python", "sh", "text", "toml", "yaml"}
    assert [
        f"{block}: {block.language or 'no language'}" for block in all_blocks() if block.language not in known
    ] == []
    assert len(all_blocks()) > 200


# ---------------------------------------------------------------------- shell


@every("console", "sh")
def test_commands_are_such_as_the_shell_and_the_command_line_take(block: Block) -> None:
    lines = list(lines_of(block))
    assert lines, "a console's commands begin with `$ `"
    script = "\n".join(lines)
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    if "<<" in script:
        return  # a document within a script: the shell has read it
    for line in lines:
        for command in words_of(line):
            check_command(command)


def check_command(words: list[str]) -> None:
    program, *arguments = words
    program = program.rpartition("/bin/")[2]
    if program == "delegate":
        parse(arguments)
    elif program == "make":
        targets = {word for word in arguments if "=" not in word and not word.startswith("-")}
        rules = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert targets <= set(rules), f"no such target: {targets - set(rules)}"
    else:
        assert program in OTHERS, f"{program}: no program that pages use so far"


@pytest.mark.parametrize(
    "wrong",
    ["delegate rnu", "delegate run --backend harness --endpont x", "delegate tasks lst", "make demoo", "dlegate run"],
)
def test_a_command_that_there_is_not_is_found(wrong: str) -> None:
    with pytest.raises(AssertionError):
        check_command(wrong.split())


# ---------------------------------------------------------------------- files


@every("toml")
def test_settings_are_such_as_a_runner_takes(block: Block, tmp_path: Path) -> None:
    assert problems(block.text, tmp_path) == []


@pytest.mark.parametrize(
    "wrong",
    ['backnd = "harness"', "capacity = 0", '[harness]\nendpont = "x"', '[handler.x]\nexecutabel = "./x"'],
)
def test_a_setting_that_is_wrong_is_found(wrong: str, tmp_path: Path) -> None:
    assert problems(wrong, tmp_path)


@every("json")
def test_json_is_json_or_lines_of_it(block: Block) -> None:
    try:
        json.loads(block.text)
    except ValueError:
        assert [json.loads(line) for line in block.text.splitlines()]


@every("yaml")
def test_manifests_have_nothing_that_lint_finds(
    block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = list(yaml.safe_load_all(block.text))
    assert documents
    if any(isinstance(one, dict) and "kind" in one for one in documents):
        file = tmp_path / ".drone.yml"
        file.write_text(block.text)
        status = lint_files([str(file)], strict=False, trusted=False, json=False)
        assert (status, capsys.readouterr().out.count("warning")) == (0, 0)


@every("ini")
def test_units_are_such_as_systemd_reads(block: Block) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's names have capitals
    parser.read_string(block.text)
    assert parser.sections()


# ---------------------------------------------------------------------- Python


@every("python")
def test_python_compiles_and_imports_what_there_is(block: Block) -> None:
    tree = ast.parse(block.text)
    compile(tree, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("delegate_"):
            module = importlib.import_module(node.module or "")
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
