"""Which steps may start, which are skipped and why, what the stage came to. Pure: no clock, no process, no network.

Whoever drives it calls one method an event and does what the returned `Changes` say::

    changes = machine.begin()
    changes.start    steps to run: call `start` just before, which may still say no
    changes.stop     running steps to end now; each still reports its `end`
    changes.settled  steps that are over, each exactly once
    changes.over     nothing more will come

The rules are Drone's:

- A step may start when all that it depends on returned, however that ended. A detached step returns when it starts.
- At that moment on-success steps are skipped if a step has failed, on-failure steps if none has. What waits for a free
  process is decided again when a step fails meanwhile.
- ``failure: ignore`` lets the stage go on and succeed. ``failure: fast`` kills what runs and skips what waits.
- Exit code 78 is a success after which nothing more starts; what runs goes on to its end.
- Cancellation and timeout kill what runs (137) and skip what waits, run policy or not.
- Detached steps are ended, successfully, when every other step is over.

It differs from Drone's runners where those surprise people:

- What exit code 78 skips really does not run. Drone runs an always-step after it and shows it as skipped.
- A detached step that ends by itself is judged by its exit code, as any other. Drone calls all of them successful. Its
  exit code 78 is a success that skips nothing: a service does not decide about the pipeline.
- ``failure: ignore`` also forgives what the engine could not run, such as an image that cannot be pulled.
- ``failure: fast`` also answers to engine errors, and its stage ends as the culprit did, whatever the order of the
  steps; Drone calls it killed when a killed step precedes the culprit.
- The stage takes status, exit code and error from the step that broke it first in time, not first in the list, and it
  has that step's exit code instead of 0.
- A stage that was cancelled between two steps has exit code 137 as any killed one, not 0.
- A timeout says so in the texts of the killed steps and of the stage; a cancellation says who wanted it.
- A step that ends after a kill was ordered is killed, whatever its exit code, so that a race cannot make it a failure.
- A cancellation that finds only detached steps left, being ended, is too late and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from delegate_core.model import CancelCause, Outcome, TaskResult
from delegate_core.pipeline.graph import Graph
from delegate_core.pipeline.spec import FailurePolicy, RunPolicy, Stage, Step
from delegate_core.pipeline.states import (
    ERROR_CODE,
    KILLED_CODE,
    SKIP_REST_CODE,
    Ending,
    StageStatus,
    StepState,
    StepStatus,
    Verdict,
    failure_text,
    judged,
)

__all__ = ["Changes", "Machine", "WrongState"]


class WrongState(ValueError):
    """The driver reported what cannot be, such as the end of a step that does not run: a defect in the driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What follows from one event. No name is told twice in ``start``, in ``stop`` or in ``settled``."""

    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    settled: tuple[StepState, ...] = ()
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Halt:
    """Why nothing more may start and all that runs must end. ``verdict`` is None where the culprit gives it."""

    reason: str
    verdict: Verdict | None = None


class Machine:
    """The life of one stage. Not thread-safe; every method returns at once.

    Args:
        stage: what to run. Steps that never run are left out of everything here.

    Raises:
        GraphError: the steps' dependencies cannot be followed.
    """

    def __init__(self, stage: Stage) -> None:
        never = {step.name for step in stage.steps if step.run is RunPolicy.NEVER}
        self._graph = Graph(stage.steps).without(never)
        self._order = self._graph.order()
        self._specs = {step.name: step for step in stage.steps if step.name not in never}
        self._states = {name: StepState(name=name, number=at) for at, name in enumerate(self._specs, start=1)}
        self._halt: _Halt | None = None
        self._culprit: StepState | None = None
        self._offered: set[str] = set()
        self._stopping: set[str] = set()
        self._dismissed: set[str] = set()

    @property
    def steps(self) -> tuple[StepState, ...]:
        """All steps that may run, in the stage's order."""
        return tuple(self._states.values())

    @property
    def failing(self) -> bool:
        """A step whose failure counts has failed; on-failure steps run, on-success steps do not."""
        return self._culprit is not None

    @property
    def failed_steps(self) -> tuple[str, ...]:
        """The steps that failed and whose failure counts, in the stage's order."""
        return tuple(state.name for state in self.steps if self._counts(state))

    @property
    def is_over(self) -> bool:
        """Every step has ended or was skipped."""
        return all(state.status.is_terminal for state in self.steps)

    @property
    def verdict(self) -> Verdict:
        """What the stage has come to so far; final once it is over."""
        if self._halt is not None and self._halt.verdict is not None:
            return self._halt.verdict
        return _blamed(self._culprit) if self._culprit is not None else Verdict()

    def state(self, name: str) -> StepState:
        """One step as it stands.

        Raises:
            WrongState: no such step, or one that never runs.
        """
        if name not in self._states:
            raise WrongState(f'the stage runs no step "{name}"')
        return self._states[name]

    def begin(self) -> Changes:
        """The stage is set up: what may start first."""
        return self._advance(())

    def start(self, name: str) -> Changes | None:
        """The step is about to run. None: do not run it, it was skipped while it waited.

        A detached step that is the last to start has nobody to serve: its own name is in ``stop`` at once.

        Raises:
            WrongState: it was never to be started, or was started before.
        """
        state = self.state(name)
        if state.status is StepStatus.SKIPPED:
            return None
        if state.status is not StepStatus.PENDING or name not in self._offered:
            raise WrongState(f'step "{name}" cannot start: it is {state.status} and was not to be started')
        self._states[name] = replace(state, status=StepStatus.RUNNING)
        return self._advance(())

    def end(self, name: str, ending: Ending) -> Changes:
        """The step's process is gone and its log is finished.

        Raises:
            WrongState: it does not run.
        """
        state = self.state(name)
        if state.status is not StepStatus.RUNNING:
            raise WrongState(f'step "{name}" cannot end: it is {state.status}')
        ended = self._states[name] = self._ended(state, ending)
        return self._advance((ended, *self._consequences(self._specs[name], ended)))

    def cancel(self, cause: CancelCause) -> Changes:
        """Somebody wants the stage to end now."""
        text = TaskResult.cancelled(cause).error
        return self._kill(_killed(Outcome.CANCELLED, text, cause))

    def time_out(self, after: float) -> Changes:
        """The deadline has passed, ``after`` seconds from the start."""
        return self._kill(_killed(Outcome.TIMED_OUT, f"timed out after {after:.10g}s"))

    def break_off(self, error: str) -> Changes:
        """The stage itself cannot go on, for example because the engine could not set it up.

        It counts even where no step is left, unless the stage was ended before for another reason.
        """
        broken = Verdict(status=StageStatus.ERROR, outcome=Outcome.FAILED, exit_code=ERROR_CODE, error=error)
        return self._advance(self._halted(_Halt(reason=error, verdict=broken)))

    def _kill(self, verdict: Verdict) -> Changes:
        if self._is_closing:
            return self._advance(())
        return self._advance(self._halted(_Halt(reason=verdict.error, verdict=verdict)))

    def _halted(self, halt: _Halt) -> Iterable[StepState]:
        """Only the first reason counts."""
        if self._halt is not None:
            return ()
        self._halt = halt
        return self._skip_pending(halt.reason)

    def _ended(self, state: StepState, ending: Ending) -> StepState:
        if state.name in self._dismissed:
            return replace(state, status=StepStatus.SUCCESS)
        if self._halt is not None:
            return replace(state, status=StepStatus.KILLED, exit_code=KILLED_CODE, error=self._halt.reason)
        status, exit_code, error = judged(ending)
        return replace(state, status=status, exit_code=exit_code, error=error)

    def _consequences(self, step: Step, ended: StepState) -> Iterable[StepState]:
        """The steps that this end skips at once."""
        if self._counts(ended):
            self._culprit = self._culprit or ended
            if step.failure is FailurePolicy.FAST:
                return self._halted(_Halt(reason=failure_text(ended)))
        if ended.exit_code == SKIP_REST_CODE and ended.status is StepStatus.SUCCESS and not step.detach:
            return self._skip_pending(f'step "{step.name}" ended the stage early (exit code {SKIP_REST_CODE})')
        return ()

    def _counts(self, state: StepState) -> bool:
        return state.status.is_failing and self._specs[state.name].failure is not FailurePolicy.IGNORE

    def _advance(self, settled: Iterable[StepState]) -> Changes:
        return Changes(
            settled=(*settled, *self._skip_by_policy()),
            start=self._newly_ready(),
            stop=self._newly_stopping(),
            over=self.is_over,
        )

    def _skip_by_policy(self) -> tuple[StepState, ...]:
        """One pass does: the order has dependents later, and to skip a step fails nothing."""
        return tuple(
            self._skip(name, reason)
            for name in self._order
            if self._is_ready(name) and (reason := self._policy_against(self._specs[name]))
        )

    def _policy_against(self, step: Step) -> str:
        if step.run is RunPolicy.ON_SUCCESS and self._culprit is not None:
            return failure_text(self._culprit)
        if step.run is RunPolicy.ON_FAILURE and self._culprit is None:
            return "no step has failed"
        return ""

    def _skip_pending(self, reason: str) -> tuple[StepState, ...]:
        pending = [state.name for state in self.steps if state.status is StepStatus.PENDING]
        return tuple(self._skip(name, reason) for name in pending)

    def _skip(self, name: str, reason: str) -> StepState:
        skipped = replace(self._states[name], status=StepStatus.SKIPPED, skipped_because=reason)
        self._states[name] = skipped
        return skipped

    def _newly_ready(self) -> tuple[str, ...]:
        ready = tuple(name for name in self._states if name not in self._offered and self._is_ready(name))
        self._offered.update(ready)
        return ready

    def _is_ready(self, name: str) -> bool:
        if self._states[name].status is not StepStatus.PENDING:
            return False
        return all(self._has_returned(need) for need in self._graph.needs(name))

    def _has_returned(self, name: str) -> bool:
        status = self._states[name].status
        return status.is_terminal or (status is StepStatus.RUNNING and self._specs[name].detach)

    def _newly_stopping(self) -> tuple[str, ...]:
        stopping = tuple(name for name in self._to_stop() if name not in self._stopping)
        self._stopping.update(stopping)
        if self._halt is None:
            self._dismissed.update(stopping)
        return stopping

    def _to_stop(self) -> Iterator[str]:
        if self._halt is not None or self._is_closing:
            yield from (state.name for state in self.steps if state.status is StepStatus.RUNNING)

    @property
    def _is_closing(self) -> bool:
        """Every step returned: only detached ones can still be running."""
        return all(self._has_returned(name) for name in self._states)


def _killed(outcome: Outcome, text: str, cause: CancelCause | None = None) -> Verdict:
    return Verdict(status=StageStatus.KILLED, outcome=outcome, exit_code=KILLED_CODE, error=text, cause=cause)


def _blamed(culprit: StepState) -> Verdict:
    """The verdict of a stage that this step broke."""
    return Verdict(
        status=StageStatus(culprit.status),
        outcome=Outcome.FAILED,
        exit_code=culprit.exit_code,
        error=failure_text(culprit),
        culprit=culprit.name,
    )
