"""Running the pipelines of a workload one after another, and heeding signals meanwhile."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

import anyio

from delegate_core.endsignals import ending_signals
from delegate_core.engines.driver import Driver
from delegate_core.engines.engine import Engine, EngineError
from delegate_core.errors import DelegateError
from delegate_core.logs import Mask
from delegate_core.logs.secrecy import Secrecy
from delegate_core.model import CancelCause, Outcome
from delegate_core.pipeline.graph import Graph
from delegate_core.pipeline.spec import RunPolicy, Stage
from delegate_core.pipeline.states import Verdict
from delegate_drone.local.engines import Keeping
from delegate_drone.local.events import (
    PipelineBegan,
    PipelineLeftOut,
    PipelineOver,
    RunOver,
    RunStopping,
    StepPlan,
    WorkspaceKept,
)
from delegate_drone.local.listener import LocalListener
from delegate_drone.local.selection import Candidate, without_engine
from delegate_drone.local.surroundings import KillableSurroundings
from delegate_drone.local.view import View
from delegate_drone.local.workload import Workload

__all__ = ["FAILED", "NOT_RUN", "TIMED_OUT", "Run", "Stopping"]

FAILED: Final = 1
NOT_RUN: Final = 2
TIMED_OUT: Final = 124
_SIGNALLED: Final = 128


class Stopping:
    """Whether somebody wants the run to end, and how badly. It is asked by writes that are blocked, too."""

    def __init__(self) -> None:
        self.signals: list[signal.Signals] = []

    def asked(self) -> bool:
        """Somebody does."""
        return bool(self.signals)

    @property
    def exit_code(self) -> int:
        """As a shell says it: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP; 141 where nobody reads the output."""
        return _SIGNALLED + self.signals[0]


class Run:
    """One run of a workload.

    Args:
        workload: what to run.
        view: who is told.
        stopping: shared with what writes.
        timeout: seconds for each pipeline.
        clock: seconds since 1970.

    Attributes:
        secrecy: what it hides, also of what a stage brings in later.
    """

    def __init__(
        self,
        workload: Workload,
        view: View,
        stopping: Stopping,
        *,
        timeout: float | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._workload = workload
        self._view = view
        self._stopping = stopping
        self._timeout = timeout
        self._clock = clock
        self._mask = Mask((*workload.secrets.values(), *workload.registries.passwords))
        self.secrecy = Secrecy()
        self.secrecy.include(self._mask)
        self._ended: dict[str, Verdict] = {}
        self._missing = False
        self._told = False
        self._kept: dict[str, Path] = {}
        self._driver: Driver | None = None
        self._surroundings: KillableSurroundings | None = None

    @property
    def exit_code(self) -> int:
        """What the command exits with, as far as it can be told."""
        if self._stopping.asked():
            return self._stopping.exit_code
        outcomes = {verdict.outcome for verdict in self._ended.values()}
        if Outcome.TIMED_OUT in outcomes:
            return TIMED_OUT
        if outcomes - {Outcome.SUCCEEDED}:
            return FAILED
        return NOT_RUN if self._missing else 0

    async def execute(self, folder: Path) -> int:
        """Run everything, under its view; the exit status. What is left in the folder is the caller's to remove."""
        began = self._clock()
        async with self._heeding_signals(), self._view.show():
            await self._all(folder)
            self._view.tell(RunOver(self._clock(), self.exit_code, self._clock() - began))
        return self.exit_code

    def stop(self, number: signal.Signals) -> None:
        """Somebody wants the run to end: what runs is cancelled, nothing else starts."""
        self._stopping.signals.append(number)
        if not self._told:
            self._told = True
            self._view.tell(RunStopping(self._clock(), number.name))
        if self._driver is not None:
            self._driver.cancel(CancelCause.OPERATOR)

    # ------------------------------------------------------------------ signals

    @asynccontextmanager
    async def _heeding_signals(self) -> AsyncIterator[None]:
        numbers = ending_signals()
        with anyio.open_signal_receiver(*numbers) as signals:
            # A blocked write keeps the event loop from its signals, so Python's own handler notes them as well.
            before = {number: signal.signal(number, self._note) for number in numbers}
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._heed, signals)
                    yield
                    group.cancel_scope.cancel()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if not self._stopping.signals:
            self._stopping.signals.append(signal.Signals(number))

    async def _heed(self, signals: AsyncIterator[signal.Signals]) -> None:
        """The first cancels, with grace; from the second on everything is killed.

        A terminal that is closed may say so twice, which is no impatience.
        """
        first = True
        async for number in signals:
            self.stop(number)
            if not first and number is not signal.SIGHUP and self._surroundings is not None:
                await self._surroundings.kill()
            first = False

    # ------------------------------------------------------------------ pipelines

    async def _all(self, folder: Path) -> None:
        async with AsyncExitStack() as stack:
            engines, ordered = await self._open_engines(stack)
            for number, candidate in enumerate(ordered, start=1):
                reason = self._reason_not_to(candidate)
                if reason:
                    self._left_out(candidate, reason, counts=bool(candidate.missing) and not candidate.left_out)
                else:
                    await self._one(candidate, engines[candidate.pipeline.type], folder / str(number))

    async def _open_engines(self, stack: AsyncExitStack) -> tuple[dict[str, Engine], tuple[Candidate, ...]]:
        """The engines that are needed, before anything runs, and the candidates as they stand without those missing."""
        ordered = self._workload.candidates
        opened: dict[str, Engine] = {}
        keeping = Keeping(folder=self._workload.choices.keep_failed, tell=self._kept.__setitem__)
        for type_ in dict.fromkeys(one.pipeline.type for one in ordered if one.runs):
            try:
                opened[type_] = await stack.enter_async_context(self._workload.engines[type_].open(keeping))
            except EngineError as error:
                ordered = without_engine(ordered, type_, str(error))
        return opened, ordered

    def _reason_not_to(self, candidate: Candidate) -> str:
        if candidate.left_out or candidate.missing:
            return candidate.left_out or candidate.missing
        if self._stopping.asked():
            return "the run was cancelled"
        failed = [name for name, verdict in self._ended.items() if verdict.outcome is not Outcome.SUCCEEDED]
        return candidate.skipped_because(failed)

    def _left_out(self, candidate: Candidate, reason: str, *, counts: bool) -> None:
        self._missing = self._missing or counts
        self._view.tell(PipelineLeftOut(self._clock(), candidate.name, self._mask.text(reason), counts))

    async def _one(self, candidate: Candidate, engine: Engine, folder: Path) -> None:
        facts = self._workload.facts(candidate, {name: each.status for name, each in self._ended.items()})
        places = self._workload.engines[candidate.pipeline.type].places(folder)
        try:
            compiled = self._workload.compile(candidate, places, facts)
            stage = replace(compiled, timeout=self._timeout)
            steps = _steps(stage)
        except DelegateError as error:
            self._left_out(candidate, str(error), counts=True)
            return
        self._mask.add(*stage.masks())
        began = self._clock()
        self._view.tell(PipelineBegan(began, candidate.name, steps))
        listener = LocalListener(candidate.name, facts, self._mask, self._view.tell, self._clock)
        verdict = await self._drive(stage, engine, listener, folder)
        self._ended[candidate.name] = verdict
        shown = replace(verdict, error=self._mask.text(verdict.error))
        self._view.tell(PipelineOver(self._clock(), candidate.name, shown, self._clock() - began))
        if (path := self._kept.get(stage.name)) is not None:
            self._view.tell(WorkspaceKept(self._clock(), candidate.name, str(path)))

    async def _drive(self, stage: Stage, engine: Engine, listener: LocalListener, folder: Path) -> Verdict:
        self._surroundings = KillableSurroundings(folder)
        self._driver = Driver(stage, engine, self._surroundings, listener)
        if self._stopping.asked():  # while its beginning was told: then there was no driver to be cancelled
            self._driver.cancel(CancelCause.OPERATOR)
        try:
            return await self._driver.run()
        finally:
            self._driver = None


def _steps(stage: Stage) -> tuple[StepPlan, ...]:
    """The steps that may run, without those that never do."""
    graph = Graph(stage.steps).without({step.name for step in stage.steps if step.run is RunPolicy.NEVER})
    return tuple(StepPlan(name, graph.needs(name)) for name in graph.names)
