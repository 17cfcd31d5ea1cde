"""The runner's own log as an operator keeps it: a file, in a format, with levels, and no secret in it."""

from __future__ import annotations

import json
import re
import signal
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_harness.manager import EmbeddedManager, Submission
from tests.integration.command import Command, manager_settings

pytestmark = pytest.mark.anyio

RUN = ("run", "--backend", "harness", "--console", "plain", "--name", "mine")
HIDDEN = "canary-of-the-operator"
HANDLER = f"""
import logging, threading
from delegate_core import TaskContext, handler

log = logging.getLogger("somelibrary.client")

@handler("careless")
def careless(context: TaskContext) -> str:
    context.mask("canary-of-the-task")
    log.warning("connecting with %s", {{"password": "canary-of-the-task"}})
    log.info("only where it is wanted: {HIDDEN}")
    try:
        raise ConnectionError("refused for {HIDDEN}")
    except ConnectionError:
        log.exception("%d attempts", "canary-of-the-task")
    return "done"
"""


async def written(path: Path, words: str) -> list[dict[str, Any]]:
    """The objects in a file, once it has these words; it is written by a thread of its own."""
    with anyio.fail_after(40):
        while words not in (text := text_of(path)):  # noqa: ASYNC110 - a file wakes nobody
            await anyio.sleep(0.02)
    return [json.loads(line) for line in text.splitlines()]


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def records(found: list[dict[str, Any]], logger: str) -> list[dict[str, Any]]:
    return [one for one in found if one["event"] == "log" and one["logger"] == logger]


async def test_each_line_says_whom_it_concerns_and_no_secret_is_in_any(delegate: Command) -> None:
    (delegate.folder / "careless.py").write_text(HANDLER)
    (delegate.folder / "hidden").write_text(f"{HIDDEN}\n")
    file = delegate.folder / "runner.log"
    log = ("--log-file", str(file), "--log-format", "json", "--logger", "somelibrary.client=info")
    more = ("--handlers", "careless.py", "--mask-file", "hidden")
    async with EmbeddedManager() as manager, delegate.started(*RUN, *log, *more, **manager_settings(manager)) as runner:
        await runner.said("running")
        task = manager.submit(Submission("careless", {}))
        await manager.wait_finished(task)
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0
        shown = runner.text
    found = await written(file, '"summary"')
    assert {(one["runner"], one["backend"]) for one in found} == {("mine", "harness")}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"]) for one in found)
    of_task = [one["event"] for one in found if one.get("task_id") == task and one["event"] != "log"]
    assert of_task == ["task_claimed", "task_started", "task_finished"]
    careless = records(found, "somelibrary.client")
    assert [one["task_id"] for one in careless] == [task] * 3
    assert [one["message"] for one in careless] == [
        "connecting with {'password': '******'}",
        "only where it is wanted: ******",
        "%d attempts ('******',)",
    ]
    assert careless[2]["error"] == "ConnectionError: refused for ******"
    assert "ConnectionError: refused for ******" in careless[2]["traceback"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for canary in ("canary-of-the-task", HIDDEN, manager.account_secret):
        assert canary not in file.read_text()
        assert canary not in shown
    assert f"connecting with {{'password': '******'}} [task {task}]" in shown


async def test_a_hangup_follows_a_file_that_was_moved_away_and_changes_levels(delegate: Command) -> None:
    settings, file = delegate.folder / "delegate.toml", delegate.folder / "runner.log"
    settings.write_text('log_file = "runner.log"\nlog_format = "json"\n')
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as runner:
        await written(file, '"running"')
        file.rename(delegate.folder / "runner.log.yesterday")
        settings.write_text('log_file = "runner.log"\nlog_format = "json"\nlog_level = "warning"\n')
        runner.signal(signal.SIGHUP)
        found = await written(file, "changed: log_level")
        assert "registering" not in str(found)
        settings.write_text(
            'log_file = "runner.log"\nlog_format = "json"\nlog_level = "info"\nloggers = { asyncio = "info" }\n'
        )
        runner.signal(signal.SIGHUP)
        await written(file, "changed: log_level, loggers")
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--log-file", "missing/runner.log"), "log_file: missing/runner.log: No such file or directory: name a file"),
        (("--log-file", "."), "Is a directory"),
        (("--log-format", "xml"), "Input should be 'text', 'json' or 'logfmt'"),
        (("--logger", "httpx=loud"), "Input should be 'debug', 'info', 'warning' or 'error'"),
        (("--log-file-size", "-1"), "log_file_size"),
    ],
)
async def test_what_cannot_be_used_is_said_at_the_start(
    delegate: Command, flags: tuple[str, ...], complaint: str
) -> None:
    settings = {
        "DELEGATE_ENDPOINT": "http://127.0.0.1:9",
        "DELEGATE_ACCOUNT_ID": "a",
        "DELEGATE_ACCOUNT_SECRET": "0" * 32,
    }
    ended = await delegate(*RUN, *flags, **settings)
    assert (ended.code, complaint in ended.err) == (2, True), ended.err


async def test_a_log_that_finds_no_room_stops_no_runner_and_says_what_is_missing(delegate: Command) -> None:
    folder = delegate.folder / "logs"
    folder.mkdir()
    file = folder / "runner.log"
    log = ("--log-file", str(file), "--log-format", "json")
    async with EmbeddedManager() as manager, delegate.started(*RUN, *log, **manager_settings(manager)) as runner:
        await written(file, '"running"')
        file.unlink()
        folder.rmdir()  # as good as a disk without room: nothing can be written
        await manager.wait_finished(manager.submit(Submission("script", {"commands": ["true"]})))
        await runner.said("lines are left out of it")
        folder.mkdir()
        await manager.wait_finished(manager.submit(Submission("script", {"commands": ["true"]})))
        found = await written(file, "task_finished")
        assert re.search(r"lines? (is|are) missing here: there was no room", found[0]["message"])
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0


async def test_text_and_logfmt_are_for_people_and_for_their_tools(delegate: Command) -> None:
    file = delegate.folder / "runner.log"
    async with EmbeddedManager() as manager:
        for kind in ("text", "logfmt"):
            log = ("--log-file", str(file), "--log-format", kind, "--max-tasks", "1")
            task = manager.submit(Submission("script", {"commands": ["exit 3"]}))
            async with delegate.started(*RUN, *log, **manager_settings(manager)) as runner:
                assert await runner.ended() == 0
            first = file.read_text().splitlines()
            finished = next(line for line in first if task in line and "exit status 3" in line)
            if kind == "text":
                assert re.match(rf"\S+Z info     harness/mine failed script {task} \S+ ?.*: ", finished)
            else:
                assert f"event=task_finished level=info runner=mine backend=harness task_id={task}" in finished
                assert "outcome=failed" in finished
            file.unlink()
