"""Tells the server how a stage goes: the driver's events as progress events, each step's output as its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from delegate_core.handlers import LogStream, TaskContext
from delegate_core.model import Card, Event, StageStarted, StepEnded, StepReport, StepStarted, Task
from delegate_core.pipeline.spec import FailurePolicy, Stage, Step
from delegate_core.pipeline.states import StepState
from delegate_drone.cards import CardFilter, masked_json
from delegate_drone.claiming import DroneTask
from delegate_drone.compiler import Facts, runtime_environment
from delegate_drone.records import Phase

__all__ = ["NotOurs", "StageTeller", "check_ours"]


class NotOurs(Exception):
    """Nothing of the stage is to go on here. The text says why."""


def check_ours(task: Task) -> None:
    """Whether the stage is still to be run, as far as is known from what the server was told.

    Raises:
        NotOurs: it has ended there, or the reply to its start was lost, so that its steps cannot be shown.
    """
    record = task.book.record if isinstance(task, DroneTask) else None
    if record is not None and record.phase is Phase.ENDED:
        raise NotOurs("the build was cancelled")
    if record is not None and record.phase is Phase.LOST:
        raise NotOurs("the server's reply was lost when the stage started; restart the build")


class StageTeller:
    """The listener of one stage.

    Args:
        context: of the stage's task.
        facts: of the build; what they say of the stage itself is brought up to date here.
        stage: what runs.
        clock: seconds since 1970.
        notes: what the author of the stage should know, a line each: they stand before the first step's output, for the
            stage itself has no log on the build page.
    """

    def __init__(
        self,
        context: TaskContext,
        facts: Facts,
        stage: Stage,
        clock: Callable[[], float],
        notes: Sequence[str] = (),
    ) -> None:
        self._context = context
        self._facts = facts
        self._specs = {step.name: step for step in stage.steps}
        self._clock = clock
        self._notes = list(notes)
        self._reports: dict[str, StepReport] = {}
        self._cards: dict[str, CardFilter] = {}

    async def stage_started(self, steps: Sequence[StepState]) -> None:
        """All its steps, pending."""
        started = self._facts.stage.model_copy(update={"status": "running", "started": int(self._clock())})
        self._facts = replace(self._facts, stage=started)
        self._reports = {step.name: _report(step, self._specs[step.name]) for step in steps}
        await self._tell(StageStarted(tuple(self._reports.values())))

    async def step_started(self, step: StepState, failed: Sequence[str]) -> Mapping[str, str]:
        """A step runs; its build, stage and step variables are as of now."""
        now = self._clock()
        self._reports[step.name] = replace(self._reports[step.name], started=now)
        await self._tell(StepStarted(self._updated(step)))
        return {**self._of_plugins(step.name), **runtime_environment(self._facts, step, failed, now=now)}

    def _of_plugins(self, step: str) -> dict[str, str]:
        """What the runner's plugins give to the step, but for what its author sets."""
        own = self._specs[step].variables()
        return {name: value for name, value in self._context.variables(step).items() if name not in own}

    def open_log(self, step: StepState) -> StepOutput:
        """Where the step's output goes."""
        cards = self._cards[step.name] = CardFilter()
        stream = self._context.stream(step.name)
        while self._notes:
            stream.line(f"warning: {self._notes.pop(0)}", level="warning")
        return StepOutput(stream, cards)

    async def step_ended(self, step: StepState) -> None:
        """A step is over; its card goes before that."""
        self._reports[step.name] = replace(self._reports[step.name], stopped=self._clock())
        report = self._updated(step)
        card = self._cards[step.name].card if step.name in self._cards else None
        if card is not None:
            data = masked_json(card.data, self._context.masked)
            report = self._reports[step.name] = replace(report, detail={**report.detail, "schema": card.schema})
            await self._tell(Card(report, card.schema, data))
        await self._tell(StepEnded(report))

    def _updated(self, step: StepState) -> StepReport:
        known = self._reports[step.name]
        skipped = {"skipped_because": self._context.masked(step.skipped_because)} if step.skipped_because else {}
        report = replace(
            known,
            status=step.status.value,
            exit_code=step.exit_code,
            error=self._context.masked(step.error),
            detail={**known.detail, **skipped},
        )
        self._reports[step.name] = report
        return report

    async def _tell(self, event: Event) -> None:
        """Tell the server. It may answer that the stage is over there: then nothing more of it may start.

        Raises:
            NotOurs: the stage has ended there, or cannot be shown there.
        """
        await self._context.progress(event)
        check_ours(self._context.task)


class StepOutput:
    """A step's output on its way to its log, without its card."""

    def __init__(self, stream: LogStream, cards: CardFilter) -> None:
        self._stream = stream
        self._cards = cards

    def write(self, data: bytes) -> None:
        """Take output as it comes."""
        passed = self._cards.feed(data)
        if passed:
            self._stream.write(passed)

    async def finish(self) -> None:
        """The step is over: its log is stored, or given up, when this returns."""
        held = self._cards.finish()
        if held:
            self._stream.write(held)
        await self._stream.finish()


def _report(state: StepState, spec: Step) -> StepReport:
    """A step as the server is first told of it."""
    detail = {
        "image": spec.container.image if spec.container else "",
        "detached": spec.detach,
        "depends_on": list(spec.depends_on),
        "errignore": spec.failure is FailurePolicy.IGNORE,
    }
    return StepReport(state.number, state.name, state.status.value, detail=detail)
