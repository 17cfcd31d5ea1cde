"""What a backend's module answers before there is a session, and what observers hear of a task's steps."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from delegate_core.development.beside import development_server as server_of
from delegate_core.errors import PluginError
from delegate_core.handlers import TaskContext
from delegate_core.markers import hookimpl
from delegate_core.model import Event, StageStarted, StepEnded, StepReport, StepStarted, Task, Touch
from delegate_core.plugins import contribution, hooks_of, settings_model_of
from delegate_core.settings import Settings
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted


class Place(Settings):
    """The settings of a backend."""

    address: str


@hookimpl
def settings_model() -> type[Settings]:
    return Place


@hookimpl
def create_backend(settings: Settings) -> object:
    backend = Scripted()
    backend.name = getattr(settings, "address", "")
    return backend


@hookimpl
def development_server(options: dict[str, str]) -> object:
    return options or None


def backend_module(*implementations: Any) -> ModuleType:
    module = ModuleType("spam_backend")
    for one in implementations:
        setattr(module, one.__name__, one)
    return module


def test_a_backends_module_brings_its_settings_and_makes_backends_of_them() -> None:
    module = backend_module(settings_model, create_backend)
    assert hooks_of(module, "spam") == ["settings_model", "create_backend"]
    assert settings_model_of(module) is Place
    made = [contribution(module, "create_backend", settings=Place(address=name)) for name in ("a", "b")]
    assert [one.name for one in made] == ["a", "b"]


def test_a_backends_module_makes_its_embedded_server_from_options_or_says_that_there_is_none() -> None:
    module = backend_module(development_server)
    made: object = server_of(module, ["seed=1"])
    assert made == {"seed": "1"}
    with pytest.raises(PluginError, match="spam_backend brings no development server"):
        server_of(module, [])


async def test_observers_hear_of_a_tasks_steps_but_not_of_touches(backend: Scripted, bench: Bench) -> None:
    heard: list[tuple[str, Event]] = []
    step = StepReport(1, "build", "running")
    events: list[Event] = [StageStarted((step,)), StepStarted(step), Touch(), StepEnded(step)]

    class Observer:
        @hookimpl
        def task_progressed(self, task: Task, event: Event) -> None:
            heard.append((task.id, event))

    async def steps(context: TaskContext) -> None:
        for event in events:
            await context.progress(event)

    await bench.start({"steps": steps}, plugins=(Observer(),))
    await backend.offer("steps")
    await backend.result()
    assert heard == [("t", event) for event in events if not isinstance(event, Touch)]
