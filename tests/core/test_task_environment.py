"""Variables that plugins give to the processes of tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delegate_core import asgi
from delegate_core.handlers import TaskContext
from delegate_core.markers import hookimpl
from delegate_core.model import Outcome, Task
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted

_SCRIPT = 'env | grep ^ADDED | sort | tr "\\n" " " > "$OUT"'


class Adding:
    """A plugin that gives a task's processes variables."""

    def __init__(self, **variables: str) -> None:
        self.variables = variables
        self.asked: list[tuple[str, str]] = []

    @hookimpl
    def task_environment(self, task: Task, step: str) -> Mapping[str, str]:
        self.asked.append((task.id, step))
        return self.variables


class Failing:
    """A plugin with a defect."""

    @hookimpl
    def task_environment(self, task: Task, step: str) -> Mapping[str, str]:
        raise LookupError("no cache today")


def scripted(backend: Scripted, out: Path, **environment: str) -> None:
    data: dict[str, Any] = {"commands": [_SCRIPT], "environment": {"OUT": str(out), **environment}}
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type, data=data)


async def test_a_tasks_processes_get_them_and_what_the_task_says_wins(
    backend: Scripted, bench: Bench, tmp_path: Path
) -> None:
    plugin = Adding(ADDED_A="of the plugin", ADDED_B="of the plugin")
    scripted(backend, tmp_path / "out", ADDED_B="of the task")
    await bench.start({}, plugins=(plugin,))
    await backend.offer("script")
    assert (await backend.result()).outcome is Outcome.SUCCEEDED
    assert (tmp_path / "out").read_text() == "ADDED_A=of the plugin ADDED_B=of the task "
    assert set(plugin.asked) == {("t", "")}


async def test_of_two_plugins_the_first_asked_wins_and_one_that_fails_gives_none(
    backend: Scripted, bench: Bench, tmp_path: Path
) -> None:
    scripted(backend, tmp_path / "out")
    later, earlier = Adding(ADDED_A="asked later", ADDED_B="only this one"), Adding(ADDED_A="asked first")
    await bench.start({}, plugins=(later, Failing(), earlier))  # the last registered is asked first
    await backend.offer("script")
    assert (await backend.result()).outcome is Outcome.SUCCEEDED
    assert (tmp_path / "out").read_text() == "ADDED_A=asked first ADDED_B=only this one "


async def test_a_handler_that_runs_steps_itself_asks_for_each(backend: Scripted, bench: Bench) -> None:
    async def steps(context: TaskContext) -> str:
        return json.dumps([dict(context.variables("compile")), context.environment({"ADDED_A": "own"})["ADDED_A"]])

    plugin = Adding(ADDED_A="of the plugin")
    await bench.start({"steps": steps}, plugins=(plugin,))
    await backend.offer("steps")
    answer = (await backend.result()).data
    assert json.loads(str(answer)) == [{"ADDED_A": "of the plugin"}, "own"]
    assert plugin.asked == [("t", "compile"), ("t", "")]


async def test_a_service_gets_the_trace_as_headers_and_nothing_else_of_it(backend: Scripted, bench: Bench) -> None:
    seen: dict[str, str] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.update({name.decode(): value.decode() for name, value in scope["headers"]})
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

    plugin = Adding(TRACEPARENT="00-aa-bb-01", ADDED_A="of the plugin")
    await bench.start({"web": asgi("web", app)}, plugins=(plugin,))
    await backend.offer("web")
    assert (await backend.result()).outcome is Outcome.SUCCEEDED
    assert seen["traceparent"] == "00-aa-bb-01"
    assert "of the plugin" not in seen.values()
