"""The script handler, with real shells."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.handlers.script import script
from delegate_core.model import JsonValue, Outcome, Task, TaskResult
from delegate_core.testing.contract_ending import gone
from delegate_core.testing.surroundings import PrintingContext

Make = Callable[..., PrintingContext]


async def run(context: PrintingContext, **data: Any) -> TaskResult:
    return await script.execute(Task(id="task-1", type="script", data=data), context)


def outputs(result: TaskResult) -> Any:
    assert isinstance(result.data, dict)
    return result.data["outputs"]


async def test_commands_run_in_turn_and_their_output_is_the_log(task_context: Make) -> None:
    context = task_context()
    result = await run(context, commands=["echo one", "echo two >&2"], trace=False)
    assert result == TaskResult.succeeded({"exit_code": 0, "outputs": {}})
    assert context.printed() == "one\ntwo"
    assert not context.living


async def test_one_text_is_one_command_of_several_lines(task_context: Make) -> None:
    context = task_context()
    await run(context, commands="for n in 1 2; do\n  echo n=$n\ndone", trace=False)
    assert context.printed() == "n=1\nn=2"


async def test_a_trace_shows_each_command_as_it_was_written(task_context: Make) -> None:
    context = task_context()
    await run(context, commands=["echo \"$HOME\" 'it''s' %s > /dev/null"])
    assert context.printed() == "+ echo \"$HOME\" 'it''s' %s > /dev/null"


@pytest.mark.parametrize(
    ("command", "error", "code"),
    [("exit 3", "exit status 3", 3), ("false", "exit status 1", 1), ("kill -9 $$", "ended by signal 9", 137)],
)
async def test_the_first_command_that_fails_ends_the_script_and_says_how(
    task_context: Make, command: str, error: str, code: int
) -> None:
    context = task_context()
    result = await run(context, commands=[command, "echo not reached"], trace=False)
    assert result == TaskResult.failed(error, {"exit_code": code, "outputs": {}})
    assert "not reached" not in context.printed()


async def test_outputs_are_what_was_appended_to_the_file(task_context: Make) -> None:
    lines = [
        "echo branch=main >> $DELEGATE_OUTPUT",
        "printf 'a=b=c\\nnothing\\n=empty\\nbranch=next' >> $DELEGATE_OUTPUT",
    ]
    assert outputs(await run(task_context(), commands=lines)) == {"branch": "next", "a": "b=c"}


async def test_an_output_keeps_the_strange_signs_in_its_value(task_context: Make) -> None:
    command = "printf 'text=one\\342\\200\\250two\\013three\\n' >> $DELEGATE_OUTPUT"
    assert outputs(await run(task_context(), commands=command)) == {"text": "one\u2028two\x0bthree"}


async def test_outputs_of_a_failed_script_are_there_too(task_context: Make) -> None:
    result = await run(task_context(), commands=["echo step=build >> $DELEGATE_OUTPUT", "false"])
    assert result.outcome is Outcome.FAILED
    assert outputs(result) == {"step": "build"}


@pytest.mark.parametrize(
    "deed",
    [
        "rm $DELEGATE_OUTPUT",
        "rm $DELEGATE_OUTPUT; mkfifo $DELEGATE_OUTPUT",
        "rm $DELEGATE_OUTPUT; mkdir $DELEGATE_OUTPUT",
    ],
)
async def test_an_output_file_that_the_script_destroyed_has_no_outputs_and_blocks_nobody(
    task_context: Make, deed: str
) -> None:
    with anyio.fail_after(40):
        assert outputs(await run(task_context(), commands=deed)) == {}


@pytest.mark.parametrize(
    ("shell", "command"),
    [("bash", 'a=(1 2); echo "${a[1]}"'), ("/bin/sh", "echo 2"), (sys.executable, "print(1 + 1)")],
)
async def test_the_shell_is_what_the_task_says(task_context: Make, shell: str, command: str) -> None:
    context = task_context()
    assert (await run(context, commands=[command], shell=shell, trace=False)).outcome is Outcome.SUCCEEDED
    assert context.printed() == "2"


async def test_a_shell_that_does_not_exist_is_named_with_the_cure(task_context: Make) -> None:
    result = await run(task_context(), commands="true", shell="no-such-shell")  # noqa: S604 - the task's own word
    assert result.outcome is Outcome.FAILED
    assert "'no-such-shell' was not found" in result.error


async def test_it_runs_in_a_folder_of_its_own_or_below_it(task_context: Make) -> None:
    context = task_context()
    await run(context, commands=["pwd", "mkdir sub", "ls -A"], trace=False)
    assert context.printed() == f"{context.folder / 'work'}\nsub"
    result = await run(context, commands=["pwd"], working_directory="sub", trace=False)
    assert result.outcome is Outcome.SUCCEEDED
    assert context.printed().endswith("/work/sub")


async def test_a_working_directory_that_does_not_exist_is_named(task_context: Make) -> None:
    result = await run(task_context(), commands="true", working_directory="nowhere")
    assert "nowhere does not exist" in result.error


async def test_the_environment_is_what_the_task_says_and_a_few_harmless_names(task_context: Make) -> None:
    context = task_context()
    result = await run(context, commands=["env"], environment={"COLOUR": "blue", "LANG": "de_DE.UTF-8"}, trace=False)
    assert result.outcome is Outcome.SUCCEEDED
    found = dict(line.split("=", 1) for line in context.printed().splitlines())
    assert found["COLOUR"] == "blue"
    assert found["LANG"] == "de_DE.UTF-8"
    assert Path(found["HOME"]).is_relative_to(context.folder)
    assert Path(found["TMPDIR"]).is_relative_to(context.folder)
    allowed = {"COLOUR", "LANG", "PATH", "TZ", "HOME", "TMPDIR", "DELEGATE_OUTPUT", "DELEGATE_PROCESS_MARK"}
    assert set(found) <= allowed | {"PWD", "OLDPWD", "SHLVL", "_"}


_CANARY = """
    import anyio, sys
    from pathlib import Path
    from delegate_core.handlers.script import script
    from delegate_core.model import Task
    from delegate_core.testing.surroundings import make_context

    async def main():
        context = make_context(Path(sys.argv[1]))()
        looks = ["env", "cat /proc/self/environ | tr '\\\\0' '\\\\n'", "set"]
        result = await script.execute(Task(id="t", type="script", data={"commands": looks}), context)
        print(result.outcome, context.printed())

    anyio.run(main)
"""


def test_a_secret_in_the_runners_own_environment_never_reaches_a_script(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_CANARY), str(tmp_path)]
    environment = {**os.environ, "DELEGATE_ACCOUNT_SECRET": "canary-7f3a", "AWS_TOKEN": "canary-7f3a"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=True)
    assert ended.stdout.startswith("succeeded")
    assert "DELEGATE_OUTPUT" in ended.stdout, "the environment was printed"
    assert "canary" not in ended.stdout


async def test_cancelling_ends_the_whole_tree(task_context: Make, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    reader = os.open(pids, os.O_RDONLY | os.O_NONBLOCK)
    found: list[int] = []
    async with anyio.create_task_group() as group:
        commands = f"sleep 300 & (sleep 300 & echo $! $$ > {pids}; wait)"
        group.start_soon(lambda: run(task_context(grace=5), commands=commands))
        await anyio.wait_readable(reader)
        found = [int(pid) for pid in os.read(reader, 100).split()]
        group.cancel_scope.cancel()
    os.close(reader)
    assert len(found) == 2
    assert all(map(gone, found))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "commands: Field required"),
        ({"commands": []}, "commands: "),
        ({"commands": "true", "shel": "sh"}, "shel: Extra inputs are not permitted"),
        ({"commands": "true", "environment": {"A=B": "1"}}, "'A=B' cannot be an environment variable"),
        ({"commands": "true", "environment": {"A": "\0"}}, "cannot be an environment variable"),
    ],
)
async def test_data_that_cannot_be_run_is_rejected_by_field(
    task_context: Make, data: dict[str, JsonValue], text: str
) -> None:
    result = await run(task_context(), **data)
    assert result.outcome is Outcome.REJECTED
    assert text in result.error


async def test_a_script_with_an_image_is_rejected_where_no_engine_is_installed(task_context: Any) -> None:
    context = task_context(Task(id="1", type="script", data={"image": "golang", "commands": "true"}))
    result = await script.execute(context.task, context)
    assert result.outcome is Outcome.REJECTED
    assert "the script asks for the image golang" in result.error
    assert "'docker'" in result.error


@pytest.mark.parametrize(("more", "says"), [({"shell": "python3"}, "shell is one of"), ({"trace": False}, "trace")])
async def test_what_a_script_in_a_container_cannot_have_is_rejected(
    task_context: Any, more: dict[str, Any], says: str
) -> None:
    context = task_context(Task(id="1", type="script", data={"image": "golang", "commands": "true", **more}))
    result = await script.execute(context.task, context)
    assert result.outcome is Outcome.REJECTED
    assert says in result.error
