"""Scripts: what a command is announced with, and that nothing of the announcement is executed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.engines.scripts import argv, script, suffix
from delegate_core.pipeline.spec import Shell

POSIX = pytest.mark.parametrize("shell", [Shell.SH, Shell.BASH])
ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
SHELL_SIGNS = st.text("'\"`$(){}\\%+-#;&|<>!*?~ \t\nabcnt01", max_size=40)


def ran(text: str, shell: Shell, folder: Path) -> tuple[int, bytes]:
    file = folder / f"script{suffix(shell)}"
    file.write_bytes(text.encode())
    done = subprocess.run(argv(shell, file), cwd=folder, capture_output=True, check=False, timeout=100)
    return done.returncode, done.stdout + done.stderr


@POSIX
@given(text=ANY_TEXT | SHELL_SIGNS)
@settings(max_examples=80, deadline=None)
def test_the_announcement_prints_the_command_and_executes_nothing(
    shell: Shell, text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    announcement = script(["exit 7", text], shell).partition("exit 7\n\n\n")[2].removesuffix(f"{text}\n\n")
    shown = f"+ {text}".rstrip("\n") if text.strip("\n") else "+ "
    folder = tmp_path_factory.mktemp("run")
    assert ran(announcement, shell, folder) == (0, f"{shown}\n".encode())
    assert [file.name for file in folder.iterdir()] == ["script"]


@POSIX
@pytest.mark.parametrize(
    "command", ["true \\", "true # comment", "true 'a\nb'", "cat <<END\ntext\nEND", "true &", ": \\\\"]
)
def test_what_a_command_ends_with_does_not_hurt_the_next(shell: Shell, command: str, tmp_path: Path) -> None:
    code, output = ran(script([command, "echo next"], shell), shell, tmp_path)
    assert code == 0
    assert output.decode().endswith("+ echo next\nnext\n")


@POSIX
def test_without_a_trace_only_the_commands_print(shell: Shell, tmp_path: Path) -> None:
    assert ran(script(["echo one", "echo two"], shell, trace=False), shell, tmp_path) == (0, b"one\ntwo\n")


@POSIX
def test_a_construct_may_be_spread_over_commands(shell: Shell, tmp_path: Path) -> None:
    commands = ["for n in 1 2; do", "echo $n", "done"]
    assert ran(script(commands, shell, trace=False), shell, tmp_path) == (0, b"1\n2\n")
    assert ran(script(commands, shell), shell, tmp_path)[0] == 0


@POSIX
def test_a_step_that_has_closed_its_output_does_not_fail_by_the_announcement(shell: Shell, tmp_path: Path) -> None:
    assert ran(script(["exec >&- 2>&-", "touch done"], shell), shell, tmp_path)[0] == 0
    assert (tmp_path / "done").exists()


@POSIX
def test_the_end_of_a_block_of_lines_is_not_shown_as_an_empty_line(shell: Shell, tmp_path: Path) -> None:
    assert ran(script(["echo a\necho b\n"], shell), shell, tmp_path) == (0, b"+ echo a\necho b\na\nb\n")


def test_powershell_stops_at_errors_of_its_own_and_of_programs() -> None:
    assert script(["cargo test"], Shell.PWSH) == (
        "$ErrorActionPreference = 'Stop'\n$global:LastExitCode = 0\n"
        "\nWrite-Host '+ cargo test'\ncargo test\n\nif ($LastExitCode -gt 0) { exit $LastExitCode }\n"
    )


@pytest.mark.parametrize("quote", ["'", "\u2018", "\u2019", "\u201a", "\u201b"])
def test_powershell_quotes_of_every_shape_are_doubled(quote: str) -> None:
    assert f"Write-Host '+ a{quote}{quote}; $(b)'\n" in script([f"a{quote}; $(b)"], Shell.PWSH)


def test_each_shell_is_started_without_a_profile_on_a_file_that_it_accepts() -> None:
    assert argv(Shell.SH, "/s/1") == ("/bin/sh", "/s/1")
    assert argv(Shell.BASH, Path("/s/1")) == ("bash", "/s/1")
    assert argv(Shell.PWSH, "/s/1.ps1")[-2:] == ("-File", "/s/1.ps1")
    assert [suffix(shell) for shell in Shell] == ["", "", ".ps1"]
