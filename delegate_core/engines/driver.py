"""Runs a stage on an engine: asks the state machine what to do, does it, and tells the listener.

    verdict = await Driver(stage, engine, surroundings, listener).run()

The machine decides and is pure; the engine executes and decides nothing. What is left for this module is time: tasks,
cancellation, the deadline, and the order in which a listener hears of things:

1. ``stage_started``, then the engine sets the place up,
2. for each step ``step_started``, its output, the end of its log, ``step_ended``; then what depends on it starts,
3. ``step_ended`` alone for a skipped step.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from delegate_core.concern import concerning
from delegate_core.engines.engine import Engine, EngineError, Output, Place, Surroundings
from delegate_core.engines.listening import Listener, StepLog
from delegate_core.model import CancelCause
from delegate_core.pipeline.machine import Changes, Machine
from delegate_core.pipeline.spec import Stage, Step
from delegate_core.pipeline.states import Broken, Ending, Signalled, StageStatus, Verdict

__all__ = ["Driver"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_LAST_WORDS: Final = 10.0
"""Seconds that each call to the listener may still take once the stage was cancelled, timed out or broken off."""

_STOPPED: Final = Signalled(signal.SIGKILL)
"""How a step ended that we stopped: the machine knows better what that means."""


class Driver:
    """One run of one stage.

    Resource handling: the engine's place is left, and every step's process gone, when `run` returns or raises. Steps
    run in tasks that a cancellation of `run` does not reach: it is turned into a cancellation of the stage, whose steps
    get their stop signal and grace, and whose listener hears of each.

    Error handling: what the listener raises breaks the stage off. What an engine raises instead of answering is a
    broken step, or where the place cannot be set up, a broken stage; neither is raised here.

    Args:
        stage: what to run; its ``timeout`` is enforced here.
        engine: where.
        surroundings: what the engine is given.
        listener: who is told.
        why: asked when `run` is cancelled: who wants it, or None for a deadline.

    Raises:
        GraphError: the steps' dependencies cannot be followed.
    """

    def __init__(
        self,
        stage: Stage,
        engine: Engine,
        surroundings: Surroundings,
        listener: Listener,
        *,
        why: Callable[[], CancelCause | None] = lambda: CancelCause.STOPPED,
    ) -> None:
        self.machine = Machine(stage)
        self.listener = listener
        self._stage = stage
        self._engine = engine
        self._surroundings = surroundings
        self._why = why
        self._specs = {step.name: step for step in stage.steps}
        self._runs: dict[str, _StepRun] = {}
        self._setting_up = anyio.CancelScope()
        self._halted = False
        self._calls: set[anyio.CancelScope] = set()
        self._untold: list[Changes] = []
        self._group: TaskGroup | None = None
        self._place: Place | None = None
        self._failure: Exception | None = None

    # ------------------------------------------------------------------ from outside

    async def run(self) -> Verdict:
        """Run it to its end. Being cancelled ends the stage first, and then goes on."""
        done = anyio.Event()
        begun = anyio.current_time()
        async with anyio.create_task_group() as guard:
            guard.start_soon(self._live, done)
            try:
                with anyio.move_on_after(self._stage.timeout):
                    await done.wait()
                if not done.is_set():
                    self._halt(self.machine.time_out(self._stage.timeout or 0.0))
                    await done.wait()
            except anyio.get_cancelled_exc_class():
                cause = self._why()
                self._halt(
                    self.machine.cancel(cause)
                    if cause is not None
                    else self.machine.time_out(round(anyio.current_time() - begun, 1))
                )
                raise
        if self._failure is not None:
            raise self._failure
        return self.machine.verdict

    def cancel(self, cause: CancelCause) -> None:
        """End the stage: `run` then returns what it came to. For the event loop's own thread."""
        self._halt(self.machine.cancel(cause))

    # ------------------------------------------------------------------ the stage's life

    async def _live(self, done: anyio.Event) -> None:
        with anyio.CancelScope(shield=True):
            try:
                await self._stage_life()
            except Exception as error:  # noqa: BLE001 - raised where `run` was called, not in a group's collection
                self._failure = error
        done.set()

    async def _stage_life(self) -> None:
        if not await self._announced():
            return
        stack = AsyncExitStack()
        place = await self._set_up(stack)
        try:
            if place is not None:
                await self._run_in(place)
            await self._tell_untold()
        finally:
            await _leave(stack)

    async def _set_up(self, stack: AsyncExitStack) -> Place | None:
        try:
            with self._setting_up:
                return await stack.enter_async_context(self._engine.open(self._stage, self._surroundings))
        except Exception as error:  # noqa: BLE001 - an engine is a plugin
            self._halt(self.machine.break_off(_engine_text(error)))
        return None

    async def _run_in(self, place: Place) -> None:
        try:
            async with anyio.create_task_group() as group:
                self._group, self._place = group, place
                await self._tell_untold()
                await self.apply(self.machine.begin())
        finally:
            self._group = None
        if self.machine.verdict.status is not StageStatus.SUCCESS:
            place.failed()

    async def _announced(self) -> bool:
        """Tell that the stage starts; where that fails there is nobody to tell anything else."""
        told = anyio.Event()

        async def announce() -> None:
            await self.listener.stage_started(self.machine.steps)
            told.set()

        await self.tell(announce)
        return told.is_set()

    # ------------------------------------------------------------------ what follows from an event

    async def apply(self, changes: Changes) -> None:
        """Stop, tell, start: in this order, so that nothing runs on while a server is slow to hear of it."""
        self._stop(changes)
        for state in changes.settled:
            with concerning(step=state.name):
                await self.tell(partial(self.listener.step_ended, state))
        for name in changes.start:
            self._spawn(self._specs[name])

    def _stop(self, changes: Changes) -> None:
        """End what is to end: processes that run, and tasks of steps that waited and were skipped."""
        for name in (*changes.stop, *(state.name for state in changes.settled)):
            if name in self._runs:
                self._runs[name].scope.cancel()

    def _spawn(self, step: Step) -> None:
        assert self._group is not None  # noqa: S101 - for the type checker: steps start while the place is open
        self._runs[step.name] = run = _StepRun(self, step)
        self._group.start_soon(run.live)

    def _halt(self, changes: Changes) -> None:
        """End it from outside of its tasks; the telling is left to a task of its own."""
        self._halted = True
        self._setting_up.cancel()
        latest = anyio.current_time() + _LAST_WORDS
        for call in self._calls:
            call.deadline = min(call.deadline, latest)
        self._stop(changes)
        if self._group is None:
            self._untold.append(changes)
        else:
            self._group.start_soon(self.apply, changes)

    async def _tell_untold(self) -> None:
        while self._untold:
            await self.apply(self._untold.pop(0))

    async def tell(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Call the listener. None: it raised, and the stage is broken off; or it took too long after its end."""
        with anyio.CancelScope() as scope:
            if self._halted:
                scope.deadline = anyio.current_time() + _LAST_WORDS
            self._calls.add(scope)
            try:
                return await call()
            except Exception as error:  # noqa: BLE001 - a listener may raise anything
                _log.debug("a listener failed", exc_info=True)
                self._halt(self.machine.break_off(str(error) or type(error).__name__))
            finally:
                self._calls.discard(scope)
        return None

    # ------------------------------------------------------------------ for one step

    async def run_step(self, step: Step, output: Output) -> Ending:
        """Run it in the place, once that is open."""
        assert self._place is not None  # noqa: S101 - for the type checker: steps start while the place is open
        return await self._place.run(step, output)

    @asynccontextmanager
    async def turn(self, step: Step) -> AsyncIterator[None]:
        """Wait until one more process may run. A detached step takes nobody's turn."""
        limiter = self._engine.limiter
        if limiter is None or step.detach:
            yield
            return
        borrower = object()
        await limiter.acquire_on_behalf_of(borrower)
        try:
            yield
        finally:
            limiter.release_on_behalf_of(borrower)


class _StepRun:
    """One step from the moment that its dependencies have returned."""

    def __init__(self, driver: Driver, step: Step) -> None:
        self.scope = anyio.CancelScope()
        self._driver = driver
        self._step = step
        self._ending: Ending = _STOPPED
        self._log: StepLog | None = None
        self._started = False

    async def live(self) -> None:
        with concerning(step=self._step.name):
            with self.scope:
                async with self._driver.turn(self._step):
                    changes = self._driver.machine.start(self._step.name)
                    if changes is not None:
                        self._started = True
                        self._ending = await self._execute(changes)
            if self._started:
                await self._finish()

    async def _execute(self, changes: Changes) -> Ending:
        variables = await self._driver.tell(self._begin)
        await anyio.lowlevel.checkpoint_if_cancelled()
        await self._driver.apply(changes)
        try:
            return await self._driver.run_step(self._step.overlaid(variables or {}), self._write)
        except Exception as error:  # noqa: BLE001 - an engine is a plugin
            _log.exception("step %s: the engine failed", self._step.name)
            return Broken(_engine_text(error))

    async def _begin(self) -> Mapping[str, str]:
        driver = self._driver
        state, failed = driver.machine.state(self._step.name), driver.machine.failed_steps
        variables = await driver.listener.step_started(state, failed)
        self._log = driver.listener.open_log(state)
        return variables

    def _write(self, data: bytes) -> None:
        if self._log is not None:
            self._log.write(data)

    async def _finish(self) -> None:
        if self._log is not None:
            await self._driver.tell(self._log.finish)
        await self._driver.apply(self._driver.machine.end(self._step.name, self._ending))


def _engine_text(error: Exception) -> str:
    """What to say of it; an engine's own errors are made for people."""
    return str(error) if isinstance(error, EngineError) else f"the engine failed: {type(error).__name__}: {error}"


async def _leave(stack: AsyncExitStack) -> None:
    """Leave the place; what goes wrong there changes nothing in what the steps came to."""
    try:
        await stack.aclose()
    except Exception:  # noqa: BLE001 - an engine is a plugin
        _log.exception("the engine could not clean up")
