"""``delegate task``: one task without a server, as a real process."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from pathlib import Path

import pytest

from delegate_core.cli.taskfile import read_task
from delegate_core.errors import SettingsError
from tests.integration.command import Command

HANDLERS = """
import time
from pathlib import Path
from delegate_core import TaskContext, handler

@handler("sample/exec")
async def run(data: dict, context: TaskContext):
    import subprocess
    from delegate_core import ProcessSpec
    script = "\\n".join(data["script"])
    line = ["/bin/sh", "-c", script]
    ended = await context.run(ProcessSpec(argv=line, cwd=context.folder, env=context.environment()))
    return {"exit_code": ended.exit_code}

@handler("sample/file")
def file(data: dict):
    return {"value": Path(data["path"]).read_text()}

@handler("stuck")
def stuck(data: dict, context: TaskContext):
    context.log("begun")
    while not context.cancelled:
        time.sleep(0.01)
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    (tmp_path / "handlers.py").write_text(HANDLERS)
    return Command(tmp_path)


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def committed(repository: Path) -> str:
    """A git repository with a program in it; its commit."""
    repository.mkdir()
    (repository / "run.sh").write_text(
        "#!/bin/sh\necho asked >&2\nprintf 'Content-Type: application/json\\n\\n'\ncat\n"
    )
    (repository / "run.sh").chmod(0o755)
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for line in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *line], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


async def test_a_request_with_base64_data_and_a_secret_task_runs_masked(command: Command) -> None:
    key = "-----BEGIN KEY-----\nZm9vYmFyZm9v\n-----END KEY-----\n"
    (command.folder / "key.pem").write_text(key)
    request = {
        "task": {
            "id": "t1",
            "type": "sample/exec",
            "data": encoded({"script": ["echo hello", "printf %s '${{secrets.key}}'"]}),
            "driver": "cgi",
            "config": encoded({"repository": {"clone": "https://git.example/tool"}}),
        },
        "secrets": [{"id": "key", "type": "sample/file", "data": {"path": str(command.folder / "key.pem")}}],
    }
    ended = await command("task", "-", "--handlers", "handlers.py", stdin=json.dumps(request))
    assert (ended.code, ended.out) == (0, '{"exit_code": 0}\n'), ended.err
    passed_over = "the executable that the task brings is passed over: 'sample/exec' has a handler here"
    assert ended.err.splitlines() == [passed_over, "hello", "******"]


async def test_an_executable_from_a_git_repository_answers_like_any_handler(command: Command) -> None:
    repository = command.folder / "tool"
    commit = committed(repository)
    (command.folder / "delegate.toml").write_text(
        f'[secrets]\nname = "env:WHO"\n[handler.get-user]\n'
        f'executable = {{ git = "file://{repository}", commit = "{commit}", run = "run.sh" }}\n'
    )
    (command.folder / "task.json").write_text(
        '{"type": "get-user", "data": {"id": 1, "who": "<{ ${{secrets.name}} | getAsBase64 }>"}}'
    )
    ended = await command("task", "task.json", "--pretty", WHO="someone")
    assert (ended.code, ended.out) == (0, '{\n  "id": 1,\n  "who": "******"\n}\n'), ended.err
    assert "asked\n" in ended.err


@pytest.mark.parametrize(
    ("task", "flags", "code", "said"),
    [
        ({"type": "sample/file", "data": {"path": "/none"}}, [], 1, "delegate: failed: FileNotFoundError: "),
        ({"type": "sample/file", "data": 5}, [], 10, "delegate: rejected: data of sample/file: "),
        ({"type": "nope"}, [], 10, "delegate: rejected: no handler for task type 'nope'; this runner serves: "),
        ({"type": "stuck", "data": {}}, ["--timeout", "200ms"], 124, "delegate: timed out after 0.2s"),
        ({"type": "stuck", "data": {}}, ["--secret", "a=hunter2"], 2, "secrets.a (--secret): say where the secret is"),
        ({"type": "stuck", "data": "${{secrets.a}}"}, ["--secret", "a=file:/none"], 1, "secret 'a' (file:/none): "),
    ],
)  # fmt: skip
async def test_the_exit_status_tells_the_outcome(
    command: Command, task: dict[str, object], flags: list[str], code: int, said: str
) -> None:
    ended = await command("task", "-", "--handlers", "handlers.py", *flags, stdin=json.dumps(task))
    assert ended.code == code, ended.err
    assert said in ended.err
    assert "hunter2" not in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_ctrl_c_or_the_end_of_the_terminal_cancels_the_task(command: Command, number: signal.Signals) -> None:
    (command.folder / "task.json").write_text('{"type": "stuck", "data": {}}')
    async with command.started("task", "task.json", "--handlers", "handlers.py") as running:
        await running.said("begun")
        running.signal(number)
        assert await running.ended() == 130
    assert "delegate: cancelled by the operator" in running.text


async def test_a_vetoed_task_is_rejected(command: Command) -> None:
    (command.folder / "veto.py").write_text(
        "from delegate_core import hookimpl\n\n@hookimpl\ndef accept_task(offer):\n    return 'not today'\n"
    )
    (command.folder / "delegate.toml").write_text('plugins = ["veto"]\n')
    ended = await command("task", "-", stdin='{"type": "script", "data": {"commands": "true"}}', PYTHONPATH=".")
    assert (ended.code, ended.out) == (10, ""), ended.err
    assert "a plugin of this runner does not accept it" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "f: no JSON: Expecting property name enclosed in double quotes in line 1, column 2"),
        ("[" * 100000, "f: nested too deeply"),
        ("[1]", 'f: it must hold an object: {"type": "TYPE", "data": ...}'),
        ('{"task": null}', "f: task: Input should be a valid dictionary"),
        ('{"task": {"type": "a"}, "secrets": [null]}', "f: secrets.0: Input should be a valid dictionary"),
        ('{"task": {"type": "a"}, "secrets": [{"type": "b"}]}', "f: secrets.0.id: Field required"),
        ('{"data": 1}', "f: type: Field required"),
        ('{"type": ""}', "f: type: String should have at least 1 character"),
        ('{"type": "a", "timeout": "soon"}', "f: timeout: give a number of seconds, or a text like"),
    ],
)
def test_a_file_that_is_no_task_is_an_error_that_says_where(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_task(text, "f", None)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("data", [5, "text", "YWJj", "MTIz", None, [1], {"a": 1}])
def test_data_is_taken_as_it_is_unless_it_is_the_base64_of_an_object_or_array(data: object) -> None:
    assert read_task(json.dumps({"type": "a", "data": data}), "f", None).data == data
    expected = data if isinstance(data, dict | list) else encoded(data)
    assert read_task(json.dumps({"type": "a", "data": encoded(data)}), "f", None).data == expected


async def test_a_machine_that_is_short_of_disk_keeps_nobody_waiting(command: Command) -> None:
    (command.folder / "task.json").write_text('{"type": "script", "data": {"commands": ["echo hello"]}}')
    ended = await command("task", "task.json", DELEGATE_MIN_FREE_DISK="1000TiB")
    assert ended.code == 0, ended.err
