"""Executables as handlers: real processes over CGI, and each way in which one can misbehave."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from delegate_core import Download, GitRepository, Runner, RunnerSettings, SecretFrom, TaskHandler, executable, forward
from delegate_core.errors import PluginError
from delegate_core.model import JsonValue, Outcome, Task, TaskResult
from delegate_core.testing.bench import PATIENCE, Bench
from delegate_core.testing.surroundings import PrintingContext
from tests.core.scripted_backend import Scripted

Make = Callable[..., PrintingContext]
HEAD = "printf 'Status: {}\\nContent-Type: text/plain\\n\\n'; "
JSON = "printf 'Status: 400\\nContent-Type: application/json\\n\\n'; "
NO_DOWNLOAD: dict[str, Any] = {"downloads": [{"urls": ["http://127.0.0.1:1/x"], "sha256": "0" * 64}]}
OK = "printf 'Content-Type: text/plain\\n\\nfine'"


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """Writes a shell script and returns its path."""

    def write(text: str) -> str:
        path = tmp_path / f"program-{len(list(tmp_path.glob('program-*')))}"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


async def run(program: str, context: PrintingContext, data: JsonValue = None, **options: Any) -> TaskResult:
    task = Task(id="t1", type="x", data=data)
    with anyio.fail_after(PATIENCE):
        return await executable("x", program, **options).execute(task, context)


async def test_the_data_is_the_input_and_the_answer_the_result(
    program: Callable[[str], str], task_context: Make
) -> None:
    path = program('printf \'Content-Type: application/json\\n\\n{"got": %s}\' "$(cat)"')
    result = await run(path, task_context(), {"a": [1, "ü"]})
    assert result == TaskResult.succeeded({"got": {"a": [1, "ü"]}})


async def test_a_program_is_told_of_the_request_and_the_task(program: Callable[[str], str], task_context: Make) -> None:
    path = program("printf 'Content-Type: text/plain\\n\\n'; env | sort")
    options = {"method": "PUT", "path": "/p?q=1", "headers": {"X-Mode": "fast"}, "environment": {"OWN": "1"}}
    data = (await run(path, task_context(), "in", arguments=("a b",), **options)).data
    assert isinstance(data, str)
    for line in (
        "REQUEST_METHOD=PUT",
        "PATH_INFO=/p",
        "QUERY_STRING=q=1",
        "HTTP_X_MODE=fast",
        "HTTP_DELEGATE_TASK_ID=t1",
        "OWN=1",
        "CONTENT_LENGTH=4",
    ):
        assert line in data.splitlines()


async def test_nothing_of_the_runners_environment_reaches_it_and_its_own_wins(
    program: Callable[[str], str], task_context: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_SECRET", "hush")
    monkeypatch.setenv("MODE", "the host's")
    path = program("printf 'Content-Type: text/plain\\n\\n'; echo \"$MODE/$RUNNER_SECRET/\"")
    assert (await run(path, task_context(), environment={"MODE": "declared"})).data == "declared//\n"


async def test_it_works_in_the_tasks_own_folder_and_empty_data_is_no_input(
    program: Callable[[str], str], task_context: Make
) -> None:
    context = task_context()
    path = program("printf 'Content-Type: text/plain\\n\\n'; pwd; wc -c; echo \"<$CONTENT_LENGTH>\"")
    data = (await run(path, context)).data
    assert isinstance(data, str)
    place, size, length = data.split()
    assert Path(place).is_relative_to(context.folder)
    assert (size, length) == ("0", "<>")


async def test_the_whole_task_can_be_sent_and_the_whole_response_be_the_result(
    program: Callable[[str], str], task_context: Make
) -> None:
    path = program("printf 'Status: 201 Made\\nX-Two: 1\\nx-two: 2\\nContent-Type: text/plain\\n\\n'; cat")
    data: Any = (await run(path, task_context(), [1], send="task", result="response")).data
    assert data["status_code"] == 201
    assert data["headers"] == {"X-Two": ["1", "2"], "Content-Type": ["text/plain"]}
    assert base64.b64decode(data["body"]) == b'{"id": "t1", "type": "x", "data": [1]}'


@pytest.mark.parametrize(
    ("script", "error", "data"),
    [
        (f"{OK}; exit 3", "exited with status 3", "fine"),
        (f"{OK}; kill -9 $$", "was ended by signal 9", "fine"),
        ("exit 4", "exited with status 4", None),
        ("exit 0", "gave no CGI response: it printed nothing", None),
        ("echo hello", "gave no CGI response: no blank line", None),
        ("printf 'Status: 050\\n\\n'", "its Status is '050'", None),
        ("printf 'Status: bogus\\n\\n'", "its Status is 'bogus'", None),
        ("printf 'Status: 500 Oh no\\n\\n'", "status 500 Oh no", None),
        (f"{HEAD.format(404)}printf 'no image'", "status 404 Not Found: no image", "no image"),
        ("printf 'Location: http://x/y\\n\\n'", "redirects are not followed; it leads to http://x/y", None),
        ("printf 'Content-Type: application/json\\n\\n{'", "its body is no valid JSON", None),
        (f"{JSON}printf '{{\"error\": \"too wide\"}}'", "status 400 Bad Request: too wide", {"error": "too wide"}),
    ],
)  # fmt: skip
async def test_no_failure_is_reported_as_success(
    program: Callable[[str], str], task_context: Make, script: str, error: str, data: JsonValue
) -> None:
    result = await run(program(script), task_context())
    assert result.outcome is Outcome.FAILED
    assert error in result.error
    assert result.data == data


async def test_a_lot_of_standard_error_goes_to_the_log_as_it_comes_and_blocks_nothing(
    program: Callable[[str], str], task_context: Make
) -> None:
    context = task_context()
    path = program(f"yes 'a line of the log' | head -n 20000 >&2; {OK}")
    assert (await run(path, context)).data == "fine"
    assert context.printed().count("a line of the log") == 20000


async def test_the_log_streams_while_the_program_runs(
    program: Callable[[str], str], task_context: Make, tmp_path: Path
) -> None:
    context, go_on = task_context(), tmp_path / "go-on"
    os.mkfifo(go_on)
    path = program(f"echo first >&2; read line < {go_on}; {OK}")

    async def watch() -> None:
        while "first" not in context.printed():  # noqa: ASYNC110 - the log of a test context has no event
            await anyio.sleep(0.01)
        await anyio.Path(go_on).write_text("now\n")

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        assert (await run(path, context)).outcome is Outcome.SUCCEEDED


async def test_a_grandchild_that_keeps_the_output_open_is_ended_and_hangs_nothing(
    program: Callable[[str], str], task_context: Make
) -> None:
    context = task_context()
    result = await run(program(f"sleep 300 & {OK}"), context)
    assert result.data == "fine"
    assert "1 processes that it left behind were ended" in context.printed()


async def test_a_secret_of_the_environment_is_masked_in_log_result_and_error(
    program: Callable[[str], str], task_context: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE", "correct-horse-battery")
    secret = tmp_path / "secret"
    secret.write_text("from-a-file-1234\n")
    context = task_context()
    options: dict[str, Any] = {
        "environment": {"A": SecretFrom(environment="WHERE")},
        "headers": {"Authorization": SecretFrom(file=secret, prefix="Bearer ")},
    }
    path = program(f"echo \"$A $HTTP_AUTHORIZATION\" >&2; {HEAD.format(500)} printf '%0190d%s' 0 $A")
    result = await run(path, context, **options)
    assert context.printed() == "****** Bearer ******"
    assert "correct" not in result.error


async def test_half_a_secret_at_the_cut_of_an_error_is_not_shown(
    program: Callable[[str], str], task_context: Make
) -> None:
    context = task_context()
    context.mask("correct-horse-battery")
    result = await run(program("printf '%070d%s' 0 correct-horse-battery"), context)
    assert "correct" not in result.error


async def test_a_secret_that_is_not_there_fails_the_task_with_the_cure(
    program: Callable[[str], str], task_context: Make
) -> None:
    result = await run(program(OK), task_context(), environment={"A": {"environment": "NO_SUCH_VARIABLE"}})
    assert result.error == "the environment variable NO_SUCH_VARIABLE is not set: start the runner with it"


async def test_output_beyond_the_limit_ends_the_program_and_fails(
    program: Callable[[str], str], task_context: Make
) -> None:
    path = program(f"{HEAD.format(200)} cat /dev/zero")
    result = await run(path, task_context(), output_limit="1MiB")
    assert "answered more than 1,048,576 bytes; raise output_limit" in result.error


async def test_its_own_time_limit_ends_the_whole_tree(program: Callable[[str], str], task_context: Make) -> None:
    context = task_context(grace=0.2)
    result = await run(program("trap '' TERM; sleep 300 & wait; sleep 300"), context, timeout=0.3)
    assert (result.outcome, result.error) == (Outcome.TIMED_OUT, "timed out after 0.3s")
    assert not context.living


async def test_a_program_that_cannot_be_used_is_found_at_the_start(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    with pytest.raises(PluginError, match=r"'x': the program .*missing does not exist"):
        executable("x", tmp_path / "missing").check()
    with pytest.raises(PluginError, match=r"may not be executed; chmod \+x it"):
        executable("x", plain).check()
    executable("x", "sh").check()


async def test_a_program_that_cannot_be_started_fails_its_task_with_the_reason(
    program: Callable[[str], str], task_context: Make
) -> None:
    path = program(OK)
    assert (await run(path, task_context())).outcome is Outcome.SUCCEEDED
    await anyio.Path(path).write_text("#!/no/such/interpreter\n")
    assert "which does not exist. Install it, or correct the first line" in (await run(path, task_context())).error


async def test_a_secret_may_be_one_that_the_settings_declare(
    backend: Scripted, bench: Bench, program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE", "correct-horse-battery")
    path = program(f'{HEAD.format(200)} echo "$KEY"')
    handler = executable("npm", path, environment={"KEY": {"secret": "npm"}})
    await bench.start({"npm": handler}, secrets={"npm": "env:WHERE"})
    await backend.offer("npm")
    assert (await backend.result()).data == "******\n"


@pytest.mark.parametrize(
    "handler",
    [
        executable("x", "sh", environment={"KEY": {"secret": "gone"}, "OWN": {"secret": "npm"}}),
        executable("x", GitRepository(git="/x", commit="0" * 40, run="x", password=SecretFrom(secret="gone"))),
        executable("x", Download.model_validate({**NO_DOWNLOAD, "headers": {"A": {"secret": "gone", "prefix": "b "}}})),
        forward("x", "http://127.0.0.1:1/", headers={"A": {"secret": "gone"}}),
    ],
    ids=lambda handler: handler.origin,
)
def test_a_secret_that_nothing_declares_ends_the_start(handler: TaskHandler) -> None:
    settings = RunnerSettings.model_validate({"secrets": {"npm": "env:A"}})
    with pytest.raises(PluginError, match=r"handler 'x' from the program needs the secret 'gone', which is not decl"):
        Runner(Scripted(), {"x": handler}, settings=settings)


@pytest.mark.parametrize("text", ["../../../evil", "/etc/evil", "", "a/../..", "-rf", "x\ny: z", "\0", "ü" * 300])
async def test_no_text_of_a_task_leaves_its_folder_or_splits_a_header(
    backend: Scripted, bench: Bench, program: Callable[[str], str], tmp_path: Path, text: str
) -> None:
    path = program(f"{HEAD.format(200)} pwd; env | grep -c '^HTTP_DELEGATE_TASK_' ")
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=f"any{text}", data=text)
    await bench.start({"*": executable("*", path)})
    before = sorted(os.listdir(tmp_path))  # noqa: PTH208 - names only
    await backend.offer("any", "t")
    data = (await backend.result("t")).data
    assert isinstance(data, str)
    place, count = data.split()
    assert Path(place).is_relative_to(bench.folder / "bench" / "tasks")
    assert int(count) == 3
    assert sorted(os.listdir(tmp_path)) == before  # noqa: PTH208


async def test_a_start_that_fails_leaks_nothing(program: Callable[[str], str], task_context: Make) -> None:
    path = program(OK)
    await run(path, task_context())
    await anyio.Path(path).write_text("#!/no/such/interpreter\n")
    context = task_context()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of this very process, at once
    for _ in range(20):
        assert (await run(path, context)).outcome is Outcome.FAILED
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


async def test_cancelling_a_task_ends_the_program_and_all_it_started(
    backend: Scripted, bench: Bench, program: Callable[[str], str], tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    path = program(f"sleep 300 & echo $! > {ready}; wait")
    started = await bench.start({"tree": executable("tree", path)})
    await backend.offer("tree")
    pid = int(await anyio.to_thread.run_sync(ready.read_text))
    started.runner.cancel("t")
    result = await backend.result()
    assert result.outcome is Outcome.CANCELLED
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"limit": 0}, "limit: Input should be greater"),
        ({"colour": 1}, "colour: Extra inputs"),
        ({"environment": {"A=B": "x"}}, "environment: 'A=B' cannot be"),
        (
            {"environment": {"A": {"file": "/a", "environment": "B"}}},
            "environment.A: give one of file, env",
        ),
        ({"headers": {"Content-Length": "5"}}, "headers: 'Content-Length' cannot be a header"),
        ({"headers": {"X": "a\r\nY: b"}}, "headers: the header X has characters that no header may have"),
        ({"path": "no-slash"}, "path: 'no-slash': a path begins with /"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PluginError, match=f"handler 'x': {complaint}"):
        executable("x", "sh", **options)
