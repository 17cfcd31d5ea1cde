"""The engines of a runner: contributed by plugins, watched, and waited for."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core import TaskContext
from delegate_core.engines.contribution import EngineDown, EngineSetup, OpenEngine, StepEngine
from delegate_core.engines.engine import Place, Surroundings
from delegate_core.errors import PluginError
from delegate_core.handlers import Handler
from delegate_core.markers import hookimpl
from delegate_core.model import Outcome, Settled
from delegate_core.pipeline.spec import Stage
from delegate_core.runner import Runner
from delegate_core.settings import Settings
from delegate_core.testing.bench import PATIENCE, Bench, Started
from tests.core.scripted_backend import Scripted, echo

pytestmark = pytest.mark.anyio


class MemorySettings(Settings):
    """What it may be told."""

    word: str = "default"


class MemoryEngine:
    """An engine that is well as long as a test says so. Also the plugin that brings it, and a handler that needs it."""

    limiter = None

    def __init__(self, trouble: str = "") -> None:
        self.trouble = trouble
        self.setup = EngineSetup()
        self.calls: list[str] = []
        self.sweeping: Exception | None = None

    @hookimpl
    def step_engines(self) -> Iterable[StepEngine]:
        return [StepEngine(name="memory", open=self._opened, settings=MemorySettings)]

    @hookimpl
    def task_handlers(self, engines: Collection[str]) -> Iterable[Handler[..., Any]]:
        return [Handler("boxed", self._run, engine="memory")] if "memory" in engines else []

    async def _run(self, context: TaskContext) -> bool:
        return context.engine("memory") is self

    @asynccontextmanager
    async def _opened(self, setup: EngineSetup) -> AsyncIterator[OpenEngine]:
        self.setup = setup
        self.calls.append("opened")
        yield self
        self.calls.append("closed")

    async def check(self) -> None:
        self.calls.append("checked")
        if self.trouble:
            raise EngineDown(self.trouble)

    async def sweep(self, owner: str) -> None:
        self.calls.append(f"swept {owner}")
        if self.sweeping:
            raise self.sweeping

    def open(self, stage: Stage, surroundings: Surroundings) -> AbstractAsyncContextManager[Place]:
        raise NotImplementedError


async def until(condition: Callable[[], Any]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a snapshot is made when it is asked for, and tells nobody of changes
            await anyio.sleep(0.01)


async def until_ready(started: Started) -> None:
    await until(lambda: started.runner.snapshot().ready)


async def start(bench: Bench, backend: Scripted, engine: MemoryEngine) -> Started:
    started = await bench.start({"echo": echo}, plugins=(engine,))
    await backend.until(lambda: backend.inbox)
    return started


async def test_an_engine_is_opened_checked_swept_and_closed_with_its_runner(bench: Bench, backend: Scripted) -> None:
    engine = MemoryEngine()
    started = await start(bench, backend, engine)
    await until_ready(started)
    assert await backend.offer("boxed") is Settled.CLAIMED
    assert (await backend.result()).data is True
    started.runner.stop()
    await started.ended()
    assert engine.setup.owner
    assert engine.calls[:3] == ["opened", "checked", f"swept {engine.setup.owner}"]
    assert engine.calls[-1] == "closed"


async def test_the_owner_is_the_same_after_a_restart_and_another_one_elsewhere(bench: Bench, backend: Scripted) -> None:
    owners = []
    for name in ("one", "one", "other"):
        engine = MemoryEngine()
        started = await bench.start({}, name=name, plugins=(engine,))
        started.runner.stop()
        await started.ended()
        owners.append(engine.setup.owner)
    assert owners[0] == owners[1] != owners[2]


async def test_an_engine_that_is_down_keeps_its_tasks_away_and_no_others_until_it_is_back(
    bench: Bench, backend: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    engine = MemoryEngine("cannot reach it: start it")
    started = await start(bench, backend, engine)
    assert await backend.offer("boxed", "1") is Settled.NO_ROOM
    assert await backend.offer("echo", "2") is Settled.CLAIMED
    await backend.result("2")
    await until(lambda: "engine memory: cannot reach it: start it" in started.runner.snapshot().holds)
    assert not started.runner.snapshot().ready
    engine.trouble = ""
    assert backend.inbox is not None
    with anyio.fail_after(PATIENCE):
        await backend.inbox.wait_for_room("boxed")
    assert await backend.offer("boxed", "1") is Settled.CLAIMED
    assert (await backend.result("1")).outcome is Outcome.SUCCEEDED
    await until_ready(started)
    assert started.runner.snapshot().holds == ()
    assert [record.message for record in caplog.records if "engine memory" in record.message] == [
        "engine memory: cannot reach it: start it; no task of type boxed is taken",
        "engine memory is back",
    ]


async def test_a_doubt_has_the_engine_checked_at_once_and_a_poll_for_its_tasks_given_up(
    bench: Bench, backend: Scripted
) -> None:
    engine = MemoryEngine()
    started = await start(bench, backend, engine)
    await until_ready(started)
    assert backend.inbox is not None
    engine.trouble = "gone"
    engine.setup.doubt()
    with anyio.fail_after(PATIENCE):
        await backend.inbox.wait_until_full("boxed")
    assert backend.inbox.room("echo") > 0
    assert not started.runner.snapshot().ready


async def test_an_engine_that_cannot_be_swept_counts_as_down(bench: Bench, backend: Scripted) -> None:
    engine = MemoryEngine()
    engine.sweeping = RuntimeError("something will not go")
    started = await start(bench, backend, engine)
    await until(lambda: "engine memory: something will not go" in started.runner.snapshot().holds)
    engine.sweeping = None
    await until_ready(started)
    assert started.runner.snapshot().holds == ()


async def test_an_engine_that_no_handler_needs_does_not_keep_the_runner_from_being_ready(
    bench: Bench, backend: Scripted
) -> None:
    engine = MemoryEngine("down")
    started = await bench.start({"echo": echo}, plugins=(OnlyTheEngine(engine),))
    await until_ready(started)
    assert started.runner.snapshot().holds == ()


class OnlyTheEngine:
    """Brings an engine and no handler."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    @hookimpl
    def step_engines(self) -> Iterable[StepEngine]:
        return self._engine.step_engines()


async def test_a_task_that_asks_for_an_engine_that_is_not_there_is_told_how_to_get_it(
    bench: Bench, backend: Scripted
) -> None:
    async def ask(context: TaskContext) -> None:
        context.engine("docker")

    await bench.start({"ask": ask})
    await backend.offer("ask")
    result = await backend.result()
    assert result.outcome is Outcome.FAILED
    assert "no engine 'docker' (engines: none is installed)" in result.error
    assert "pip install delegate-docker" in result.error


def test_a_handler_whose_engine_nobody_brings_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="task type 'boxed', from the program, needs the engine 'memory'"):
        Runner(Scripted(), {"boxed": Handler("boxed", echo, engine="memory")}, state_dir=tmp_path)


def test_two_engines_of_one_name_are_a_conflict_that_names_both_plugins(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"two engines 'memory': one from MemoryEngine-\w+, one from MemoryEngine-"):
        Runner(Scripted(), plugins=[MemoryEngine(), MemoryEngine()], state_dir=tmp_path)


def test_what_is_no_engine_is_refused_with_the_plugin_s_name(tmp_path: Path) -> None:
    class Bad:
        @hookimpl
        def step_engines(self) -> list[str]:
            return ["docker"]

    with pytest.raises(PluginError, match=r"plugin Bad-\w+: step_engines must answer StepEngine objects, not 'docker'"):
        Runner(Scripted(), plugins=[Bad()], state_dir=tmp_path)


@pytest.mark.parametrize("given", [None, MemorySettings(word="given")])
async def test_an_engine_gets_the_settings_that_were_given_or_its_defaults(
    tmp_path: Path, given: MemorySettings | None
) -> None:
    engine = MemoryEngine()
    runner = Runner(
        Scripted(), plugins=[engine], state_dir=tmp_path, engine_settings={"memory": given} if given else None
    )
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run)
        await until(lambda: engine.calls)
        runner.stop()
    assert engine.setup.settings == (given or MemorySettings())
