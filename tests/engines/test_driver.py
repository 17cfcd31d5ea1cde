"""The driver: order, cancellation, the deadline, and what a listener hears."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from delegate_core.concern import concern, concerning
from delegate_core.engines.driver import Driver
from delegate_core.engines.engine import EngineError, Output, Place, Surroundings
from delegate_core.model import CancelCause, Outcome
from delegate_core.pipeline.graph import GraphError, in_sequence
from delegate_core.pipeline.spec import FailurePolicy, RunPolicy, Stage, Step
from delegate_core.pipeline.states import Ending, Exited, StageStatus, StepState, StepStatus, Verdict
from delegate_core.processes import OnOutput, ProcessExit, ProcessSpec

pytestmark = pytest.mark.anyio

Body = Callable[[Step, Output], Awaitable[Ending]]


class NoSurroundings:
    """The engine below needs none."""

    folder = Path("nowhere")
    grace = 0.0
    user = None

    async def run(self, spec: ProcessSpec, on_output: OnOutput | None = None) -> ProcessExit:
        raise NotImplementedError


@dataclass
class MemoryEngine:
    """Runs a function for each step."""

    body: Body
    limiter: anyio.CapacityLimiter | None = None
    events: list[str] = field(default_factory=list)
    error: Exception | None = None
    leaving: Exception | None = None
    slow: bool = False

    @asynccontextmanager
    async def open(self, stage: Stage, surroundings: Surroundings) -> AsyncIterator[Place]:
        self.events.append("open")
        if self.slow:
            await anyio.sleep_forever()
        if self.error:
            raise self.error
        try:
            yield self
        finally:
            self.events.append("closed")
        if self.leaving:
            raise self.leaving

    async def run(self, step: Step, output: Output) -> Ending:
        self.events.append(f"run {step.name}")
        try:
            return await self.body(step, output)
        finally:
            self.events.append(f"gone {step.name}")

    def failed(self) -> None:
        self.events.append("keep")


@dataclass
class Log:
    listener: Recorder
    name: str

    def write(self, data: bytes) -> None:
        self.listener.said.append(f"{self.name}: {data.decode()}")

    async def finish(self) -> None:
        self.listener.said.append(f"{self.name} log finished")


@dataclass
class Recorder:
    """Writes down what it hears; ``raising`` and ``stuck`` name events that fail or never return."""

    said: list[str] = field(default_factory=list)
    raising: str = ""
    stuck: str = ""
    heard: dict[str, anyio.Event] = field(default_factory=dict)

    def event(self, text: str) -> anyio.Event:
        return self.heard.setdefault(text, anyio.Event())

    async def _hear(self, text: str) -> None:
        self.said.append(text)
        self.event(text).set()
        if text == self.raising:
            raise RuntimeError("the server said no")
        if text == self.stuck:
            await anyio.sleep_forever()

    async def stage_started(self, steps: Sequence[StepState]) -> None:
        await self._hear("stage " + ",".join(step.name for step in steps))

    async def step_started(self, step: StepState, failed: Sequence[str]) -> Mapping[str, str]:
        await self._hear(f"{step.name} started")
        return {"FAILED": ",".join(failed)}

    def open_log(self, step: StepState) -> Log:
        return Log(self, step.name)

    async def step_ended(self, step: StepState) -> None:
        await self._hear(f"{step.name} {step.status} {step.exit_code}")


async def succeed(step: Step, output: Output) -> Ending:
    await anyio.lowlevel.checkpoint()
    return Exited(0)


async def forever(step: Step, output: Output) -> Ending:
    await anyio.sleep_forever()
    raise AssertionError


def driver(engine: MemoryEngine, listener: Recorder, *steps: Step, timeout: float | None = None) -> Driver:
    return Driver(Stage(name="s", steps=steps, timeout=timeout), engine, NoSurroundings(), listener)


async def ran(body: Body, *steps: Step, limit: float | None = None) -> tuple[Verdict, list[str], list[str]]:
    engine, listener = MemoryEngine(body), Recorder()
    with anyio.fail_after(40):
        verdict = await driver(engine, listener, *steps, timeout=limit).run()
    return verdict, listener.said, engine.events


async def test_a_listener_hears_of_each_step_in_order_and_its_log_is_finished_before_its_end() -> None:
    async def body(step: Step, output: Output) -> Ending:
        output(b"hello")
        return Exited(0)

    verdict, said, events = await ran(body, *in_sequence([Step(name="a"), Step(name="b")]))
    assert said == [
        *("stage a,b", "a started", "a: hello", "a log finished", "a success 0"),
        *("b started", "b: hello", "b log finished", "b success 0"),
    ]
    assert events == ["open", "run a", "gone a", "run b", "gone b", "closed"]
    assert verdict.status is StageStatus.SUCCESS


async def test_a_failed_stage_is_told_to_the_place_before_it_is_left() -> None:
    async def body(step: Step, output: Output) -> Ending:
        return Exited(3)

    verdict, said, events = await ran(body, *in_sequence([Step(name="a"), Step(name="b")]))
    assert (verdict.status, verdict.exit_code) == (StageStatus.FAILURE, 3)
    assert said[-1] == "b skipped 0"
    assert events[-2:] == ["keep", "closed"]


async def test_variables_that_are_known_only_at_the_start_win() -> None:
    seen: dict[str, str] = {}

    async def body(step: Step, output: Output) -> Ending:
        seen[step.name] = step.variables()["FAILED"]
        return Exited(1 if step.name == "a" else 0)

    late = Step(name="b", run=RunPolicy.ALWAYS, environment={"FAILED": "mine"})
    await ran(body, *in_sequence([Step(name="a"), late]))
    assert seen == {"a": "", "b": "a"}


async def test_steps_that_need_nothing_run_at_the_same_time() -> None:
    both = 0
    met = anyio.Event()

    async def body(step: Step, output: Output) -> Ending:
        nonlocal both
        both += 1
        if both == 2:
            met.set()
        await met.wait()
        return Exited(0)

    verdict, _, _ = await ran(body, Step(name="a"), Step(name="b"))
    assert verdict.status is StageStatus.SUCCESS


async def test_no_more_steps_run_at_once_than_the_engine_allows_and_detached_ones_do_not_count() -> None:
    running, most = 0, 0

    async def body(step: Step, output: Output) -> Ending:
        nonlocal running, most
        if step.detach:
            await anyio.sleep_forever()
        running += 1
        most = max(most, running)
        await anyio.sleep(0.001)
        running -= 1
        return Exited(0)

    engine = MemoryEngine(body, limiter=anyio.CapacityLimiter(2))
    steps = [Step(name="service", detach=True), *(Step(name=f"s{n}", depends_on=("service",)) for n in range(8))]
    with anyio.fail_after(40):
        verdict = await driver(engine, Recorder(), *steps).run()
    assert verdict.status is StageStatus.SUCCESS
    assert most == 2


async def test_what_waits_for_its_turn_is_skipped_when_the_stage_fails_meanwhile() -> None:
    async def body(step: Step, output: Output) -> Ending:
        await anyio.lowlevel.checkpoint()
        return Exited(1)

    engine, listener = MemoryEngine(body, limiter=anyio.CapacityLimiter(1)), Recorder()
    with anyio.fail_after(40):
        verdict = await driver(engine, listener, Step(name="a"), Step(name="b")).run()
    assert verdict.status is StageStatus.FAILURE
    assert "b skipped 0" in listener.said
    assert "run b" not in engine.events


async def test_a_cancelled_stage_ends_its_steps_and_says_so() -> None:
    engine, listener = MemoryEngine(forever), Recorder()
    subject = driver(engine, listener, *in_sequence([Step(name="a"), Step(name="b")]))
    async with anyio.create_task_group() as group:

        async def cancel() -> None:
            await listener.event("a started").wait()
            subject.cancel(CancelCause.SERVER)

        group.start_soon(cancel)
        with anyio.fail_after(40):
            verdict = await subject.run()
    assert (verdict.status, verdict.outcome, verdict.cause) == (
        StageStatus.KILLED,
        Outcome.CANCELLED,
        CancelCause.SERVER,
    )
    assert {"a killed 137", "b skipped 0"} <= set(listener.said)
    assert engine.events[-2:] == ["keep", "closed"]


async def test_a_cancelled_run_tells_the_listener_first_and_then_goes_on() -> None:
    engine, listener = MemoryEngine(forever), Recorder()
    subject = driver(engine, listener, Step(name="a"))
    with anyio.fail_after(40), anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(subject.run)
            await listener.event("a started").wait()
            scope.cancel()
    assert scope.cancelled_caught
    assert listener.said[-1] == "a killed 137"
    assert engine.events[-1] == "closed"
    assert subject.machine.verdict.cause is CancelCause.STOPPED


async def test_a_stage_is_ended_at_its_deadline_and_says_so() -> None:
    verdict, said, _ = await ran(forever, Step(name="a"), limit=0.05)
    assert (verdict.outcome, verdict.error) == (Outcome.TIMED_OUT, "timed out after 0.05s")
    assert said[-1] == "a killed 137"


async def test_a_detached_step_serves_the_others_and_is_ended_after_them() -> None:
    async def body(step: Step, output: Output) -> Ending:
        return await (forever if step.detach else succeed)(step, output)

    verdict, said, events = await ran(body, *in_sequence([Step(name="db", detach=True), Step(name="test")]))
    assert verdict.status is StageStatus.SUCCESS
    assert said.index("db started") < said.index("test started") < said.index("db success 0")
    assert events[-2:] == ["gone db", "closed"]


async def test_a_fast_failure_kills_what_runs() -> None:
    other_runs = anyio.Event()

    async def body(step: Step, output: Output) -> Ending:
        if step.name == "a":
            await other_runs.wait()
            return Exited(5)
        other_runs.set()
        return await forever(step, output)

    verdict, said, _ = await ran(body, Step(name="a", failure=FailurePolicy.FAST), Step(name="b"))
    assert verdict.culprit == "a"
    assert "b killed 137" in said


async def test_a_place_that_cannot_be_set_up_is_an_error_of_the_stage() -> None:
    engine, listener = MemoryEngine(succeed, error=EngineError("no space left; free some")), Recorder()
    verdict = await driver(engine, listener, Step(name="a")).run()
    assert (verdict.status, verdict.error) == (StageStatus.ERROR, "no space left; free some")
    assert listener.said == ["stage a", "a skipped 0"]


async def test_a_stage_can_be_cancelled_while_its_place_is_set_up() -> None:
    engine, listener = MemoryEngine(succeed, slow=True), Recorder()
    with anyio.fail_after(40):
        verdict = await driver(engine, listener, Step(name="a"), timeout=0.05).run()
    assert verdict.outcome is Outcome.TIMED_OUT
    assert listener.said == ["stage a", "a skipped 0"]


async def test_an_engine_that_raises_breaks_the_step() -> None:
    async def body(step: Step, output: Output) -> Ending:
        raise ZeroDivisionError("oops")

    verdict, said, _ = await ran(body, Step(name="a"))
    assert verdict.error == 'step "a": the engine failed: ZeroDivisionError: oops'
    assert said[-1] == "a error 255"


async def test_an_engine_that_cannot_clean_up_changes_no_verdict() -> None:
    engine = MemoryEngine(succeed, leaving=OSError("stuck"))
    verdict = await driver(engine, Recorder(), Step(name="a")).run()
    assert verdict.status is StageStatus.SUCCESS


@pytest.mark.parametrize("event", ["a started", "a success 0", "b started"])
async def test_a_listener_that_raises_breaks_the_stage_off(event: str) -> None:
    engine, listener = MemoryEngine(succeed), Recorder(raising=event)
    with anyio.fail_after(40):
        verdict = await driver(engine, listener, *in_sequence([Step(name="a"), Step(name="b")])).run()
    assert (verdict.status, verdict.error) == (StageStatus.ERROR, "the server said no")
    assert engine.events[-1] == "closed"


async def test_nothing_is_set_up_where_nobody_can_be_told() -> None:
    engine, listener = MemoryEngine(succeed), Recorder(raising="stage a")
    verdict = await driver(engine, listener, Step(name="a")).run()
    assert verdict.status is StageStatus.ERROR
    assert (engine.events, listener.said) == ([], ["stage a"])


async def test_a_cancellation_reaches_a_step_whose_start_cannot_be_told() -> None:
    engine, listener = MemoryEngine(succeed), Recorder(stuck="a started")
    subject = driver(engine, listener, Step(name="a"), timeout=0.05)
    with anyio.fail_after(40):
        verdict = await subject.run()
    assert verdict.outcome is Outcome.TIMED_OUT
    assert "run a" not in engine.events
    assert subject.machine.state("a").status is StepStatus.KILLED


async def test_a_graph_that_cannot_be_followed_is_refused_at_once() -> None:
    with pytest.raises(GraphError):
        driver(MemoryEngine(succeed), Recorder(), Step(name="a", depends_on=("a",)))


async def test_what_is_logged_in_a_step_is_known_to_be_of_that_step() -> None:
    seen: list[tuple[str, str, str]] = []

    async def body(step: Step, output: Output) -> Ending:
        await anyio.lowlevel.checkpoint()
        seen.append((step.name, concern().task, concern().step))
        return Exited(0)

    with concerning(task="t1"):
        await ran(body, *in_sequence([Step(name="a"), Step(name="b")]))
        assert concern().step == ""
    assert seen == [("a", "t1", "a"), ("b", "t1", "b")]
