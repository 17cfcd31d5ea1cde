"""Handlers from the settings file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from delegate_core.errors import PluginError, SettingsError
from delegate_core.handlers.declared import declared_handlers
from delegate_core.model import Outcome
from delegate_core.settings import RunnerSettings, find_file, load
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted

MODULE = """
from delegate_core import handler

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"from the app"})

def plain(data: int) -> int:
    return data + 1

@handler("whatever", limit=3)
def decorated() -> str:
    return "decorated"

number = 5
"""

FILE = """
[handler.run]
executable = "./program"
environment = { MODE = "x" }

[handler.web]
asgi = "my_declared_module:app"

[handler.plain]
function = "my_declared_module:plain"
limit = 2

[handler."any/*"]
function = "my_declared_module:decorated"
announce = ["any/one"]
"""


def len_of(data: str) -> int:
    return len(data)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_declared_module.py").write_text(MODULE)
    (tmp_path / "program").write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; echo $MODE\n")
    (tmp_path / "program").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def loaded(folder: Path, text: str) -> RunnerSettings:
    (folder / "delegate.toml").write_text(text)
    return load(RunnerSettings, flags={}, environ={}, file=find_file(None, os.environ, folder)).values


async def test_every_kind_can_be_declared_and_serves_tasks(folder: Path, backend: Scripted, bench: Bench) -> None:
    announced: list[tuple[str, ...]] = []
    backend.on_register = lambda registration: announced.append(registration.task_types)
    started = await bench.start({}, handler=loaded(folder, FILE).handler)
    answers = {}
    for task_type in ("run", "web", "any/thing", "plain"):
        await backend.offer(task_type, task_type)
        answers[task_type] = await backend.result(task_type)
    assert answers["run"].data == "x\n"
    assert answers["web"].data == "from the app"
    assert answers["any/thing"].data == "decorated"
    assert answers["plain"].outcome is Outcome.REJECTED, "it wants a number"
    assert announced == [("any/one", "plain", "run", "script", "web")]
    assert started.runner.slots.limits == {"any/*": 3, "plain": 2}


def test_the_program_and_the_file_for_one_type_are_a_conflict_that_names_both(folder: Path) -> None:
    from delegate_core.runner import Runner  # noqa: PLC0415 - only here

    settings = RunnerSettings(handler={"a": {"executable": "sh"}})
    with pytest.raises(PluginError, match="task type 'a': one from the program, one from the settings file"):
        Runner(Scripted(), {"a": len_of}, settings=settings)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (
            "./program",
            'must be a table with one of executable, forward, asgi, function, request: executable = "./program"',
        ),
        ({"executible": "x"}, "says no kind; give one of .*: did you mean executable?"),
        ({"executable": "x", "forward": "y"}, "is of two kinds, executable and forward; give one"),
        ({"executable": 5}, "executable: "),
        ({"executable": {"git": "/x", "commit": "main", "run": "x"}}, "executable.commit: a full commit id is needed"),
        ({"executable": {"git": "--upload-pack=x", "commit": "a" * 40, "run": "x"}}, "executable.git: give an https"),
        ({"executable": {"git": "/x", "commit": "a" * 40, "run": "../x"}}, "executable.run: '../x' must be a relative"),
        ({"executable": {"downloads": [{"urls": ["https://x/y"]}]}}, "needs its sha256"),
        ({"executable": {"downloads": [{"urls": ["https://u:p@x/y"], "sha256": "0" * 64}]}}, "no user or password"),
        ({"executable": {"downloads": [{"os": "plan9", "urls": ["https://x/y"]}]}}, "'plan9' is no operating system"),
        ({"executable": {"downloads": [{"urls": ["https://x/y.zip"], "sha256": "0" * 64}]}}, "say with run which"),
        ({"executable": {"downloads": [{"urls": ["https://x/y"], "sha256": "abc"}]}}, "64 hexadecimal digits"),
        ({"forward": "gopher://x"}, "forward: an address like"),
        ({"request": False}, "request: Input should be True"),
        ({"request": True, "executables": "some"}, "executables: Input should be 'none', 'verified' or 'any'"),
        ({"asgi": "no_colon"}, "names 'no_colon'; write it as package.module:name"),
        ({"function": "no_such_module_x:f"}, "cannot be imported: ModuleNotFoundError"),
        ({"function": "my_declared_module:gone"}, "cannot be imported: AttributeError"),
        ({"asgi": "my_declared_module:app", "colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(folder: Path, table: Any, complaint: str) -> None:
    with pytest.raises(SettingsError, match=rf"^\[handler\.thing\] .*{complaint}"):
        declared_handlers({"thing": table})


def test_everything_that_is_wrong_is_said_at_once(folder: Path) -> None:
    tables = {"a": {}, "b/*": {"forward": "http://x", "limit": 0, "timeout": "soon"}}
    with pytest.raises(SettingsError) as raised:
        declared_handlers(tables)
    places = [line.partition(":")[0] for line in str(raised.value).splitlines()]
    assert places == ["[handler.a] says no kind; give one of executable, forward, asgi, function, request",
                      '[handler."b/*"] limit', '[handler."b/*"] timeout']  # fmt: skip


def test_a_function_that_is_none_is_refused_at_the_start(folder: Path) -> None:
    from delegate_core.handlers import HandlerRegistry  # noqa: PLC0415 - only here

    (handler,) = declared_handlers({"n": {"function": "my_declared_module:number"}})
    with pytest.raises(PluginError):
        HandlerRegistry().add(handler, "the settings file")


def test_a_table_called_handlers_is_told_its_name(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"a handler is declared as \[handler\.NAME\], without the s"):
        loaded(folder, '[handlers.a]\nexecutable = "x"\n')


def test_a_handler_has_no_flag_and_no_variable(folder: Path) -> None:
    found = load(RunnerSettings, flags={}, environ={"DELEGATE_HANDLER": "x"}, file=None)
    assert found.values.handler == {}
    assert any("DELEGATE_HANDLER: there is no such setting" in warning for warning in found.warnings)
