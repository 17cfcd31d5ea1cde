"""Names, errors and log lines that attack the terminal, in every view and every command that shows them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.cli import main
from delegate_core.cli.developing import serving
from delegate_core.cli.doctor.view import open_view
from delegate_core.cli.observing import Observation
from delegate_core.cli.tables import print_table
from delegate_core.console.printing import print_view
from delegate_core.console.visible import visible_json, visible_lines
from delegate_core.development import ServerTask
from delegate_core.diagnosis import Checked, Finding
from delegate_core.handlers import TaskContext
from delegate_core.settings import RunnerSettings
from delegate_core.status import StatusAddress
from delegate_core.status.client import RemoteStatus, Target, view_of
from delegate_harness.development import HarnessDevelopmentServer
from tests.harness.runners import make_runner
from tests.harness.scripted import ScriptedManager, event, package

EVIL = "\x1b]52;c;aGk=\x07\x1b[2J\x1b]0;t\x1b\\\x9b1;1H\x90q\x9c\u202e\u2066\r\x08\x7f\x1b[31mx\n12:00:00 succeeded"
"""The clipboard, the screen, the title, 8-bit sequences, the direction of text, overwriting, a line of ours."""

ID = EVIL.replace("\n", "/../?&#%0a")
"""No address of a server's has a line end."""

_COLOUR = re.compile("\x1b\\[[0-9;:]*m")
_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\x1b]\x07[\x9b\x9d\x9c;0m\u202e\r\n")), max_size=40)


def harmless(text: str) -> bool:
    """Nothing but colours acts on a terminal."""
    return all(line.isprintable() for line in _COLOUR.sub("", text).split("\n"))


@given(st.lists(st.lists(_TEXT, min_size=3, max_size=3), max_size=4))
def test_no_cell_of_a_table_acts(rows: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        out = io.StringIO()
        patched.setattr("sys.stdout", out)
        print_table(("ID", "TYPE", "ERROR"), rows)
    assert harmless(out.getvalue())
    assert "\x1b" not in out.getvalue()


@given(st.recursive(_TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3)))
def test_json_for_people_acts_on_nothing_and_is_the_same_value(value: object) -> None:
    for indent in (None, 2):
        text = visible_json(value, indent=indent)
        assert harmless(text)
        assert "\x1b" not in text
        assert json.loads(text) == value


@given(_TEXT)
def test_no_error_acts_and_none_loses_its_lines(text: str) -> None:
    assert harmless(visible_lines(text))
    assert visible_lines(text).count("\n") == text.count("\n")


@given(_TEXT, _TEXT)
def test_no_finding_of_the_doctor_acts(seen: str, cure: str) -> None:
    for as_json in (False, True):
        out = io.StringIO()
        found = Checked("disk", Finding("problem", seen, cure), 0.1)
        open_view(out, {}, as_json=as_json).end([found], "harness", 1)
        assert harmless(out.getvalue())


class Commands:
    """Calls commands in this process, and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *arguments: str) -> str:
        await anyio.to_thread.run_sync(_called, arguments)
        printed = "".join(self._capsys.readouterr())
        assert harmless(printed), (arguments, printed)
        return printed


def _called(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        main([*arguments])


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commands:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal: a log into a pipe is as it came
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Commands(capsys)


async def _fail(context: TaskContext) -> None:
    context.log(EVIL)
    context.stream(EVIL).line(EVIL)
    raise ValueError(EVIL)


@asynccontextmanager
async def failing_task(manager: ScriptedManager, folder: Path) -> AsyncIterator[Path]:
    """A runner whose only task, hostile through and through, has failed; its state folder."""
    manager.lists(event(EVIL, taskType=EVIL))
    manager.on("acquire", lambda call: (200, package(call, id=EVIL, type=EVIL)))
    manager.on("result", (503, {"responseMessages": [{"code": EVIL, "message": EVIL}]}))
    settings = RunnerSettings(name="builder", backend="harness", status="127.0.0.1:0")
    observation = Observation(settings, "harness", lambda _: {})
    runner = make_runner(
        manager, folder, {EVIL: _fail}, plugins=observation.plugins, status="127.0.0.1:0", drain_timeout=0.1
    )
    async with anyio.create_task_group() as group, observation.serving(runner):
        group.start_soon(runner.run)
        await manager.seen("result")
        try:
            yield runner.state_dir
        finally:
            group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_no_command_about_a_runners_tasks_lets_them_act(tmp_path: Path, command: Commands) -> None:
    manager = ScriptedManager()
    async with manager.serve(), failing_task(manager, tmp_path) as folder:
        whose = ("--state-dir", str(folder))
        for about in (("tasks", "list"), ("tasks", "show", EVIL[:4]), ("outbox", "list"), ("outbox", "show", EVIL)):
            assert "52;c" in await command(*about, *whose)
        assert "\x1b[31mx" in await command("tasks", "logs", EVIL, *whose)
        address = StatusAddress.of(folder)
        async with RemoteStatus(Target(address.url, address.token)) as remote:
            out = io.StringIO()
            print_view(view_of(await remote.report(), await remote.warnings()), out, {"FORCE_COLOR": "1"})
        assert "52;c" in out.getvalue()
        assert harmless(out.getvalue())
        assert "52;c" in await command("tasks", "show", f"none {EVIL}", *whose)


class Hostile(HarnessDevelopmentServer):
    """A development server whose every text attacks."""

    def submit(self, text: str, options: Mapping[str, str]) -> list[str]:
        return [ID]

    def tasks(self) -> list[ServerTask]:
        return [self.task(ID)]

    def task(self, task_id: str) -> ServerTask:
        return ServerTask(ID, EVIL, EVIL, waiting=EVIL, outcome=EVIL, error=EVIL, data={EVIL: EVIL})

    def cancel(self, task_id: str) -> bool:
        return False

    async def log(self, task_id: str, *, follow: bool) -> AsyncIterator[str]:
        yield EVIL + "\n"

    async def finished(self, task_id: str) -> ServerTask:
        return self.task(task_id)


@pytest.mark.anyio
async def test_no_command_about_a_servers_tasks_lets_them_act(tmp_path: Path, command: Commands) -> None:
    (tmp_path / "task.json").write_text("{}")
    async with serving(Hostile({}), "harness", 0):
        assert "52;c" in await command("submit", "task.json")
        assert "\x1b[31mx" in await command("submit", "task.json", "--wait")
        assert "\x1b[31mx" in await command("logs", ID)
        for about in (("status",), ("submit", "task.json", "--wait", "--json"), ("cancel", ID)):
            assert "52;c" in await command(*about)
