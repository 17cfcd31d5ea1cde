"""What updates do to builds, stages and steps, in the real server's order and without transactions, as there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from .cancels import Canceller
from .errors import LockLostError, ServerError
from .livelog import LiveLogs
from .queue import Queue
from .records import FAILED, Build, Stage, Step
from .store import Store

__all__ = ["Lifecycle"]

_LONGEST_ERROR = 500
_STAGE_FIELDS = (
    *("status", "error", "errignore", "exit_code", "os", "arch", "variant", "kernel", "machine", "started", "stopped"),
    *("created", "updated", "on_success", "on_failure", "depends_on", "labels"),
)
_STEP_FIELDS = (
    *("name", "status", "error", "errignore", "exit_code", "started", "stopped"),
    *("depends_on", "image", "detached", "card_schema"),
)
_OPEN = frozenset({"pending", "running", "waiting_on_dependencies", "blocked", "declined"})
"""A stage in one of these keeps its build unfinished, a declined one for good."""

_KILLED = 130
"""The exit code that the server writes for a step that it cancels."""


class Lifecycle:
    """Applies updates.

    Args:
        store: what lasts.
        queue: told of stages that become pending.
        canceller: told of builds that are cancelled.
        live: the live logs.
        clock: seconds since the epoch.
    """

    def __init__(
        self, store: Store, queue: Queue, canceller: Canceller, live: LiveLogs, clock: Callable[[], float]
    ) -> None:
        self._store, self._queue, self._canceller, self._live = store, queue, canceller, live
        self._clock = clock

    def _now(self) -> int:
        return int(self._clock())

    # ------------------------------------------------------------------ stages

    def accept(self, stage_id: int, machine: str) -> Stage:
        """Give a stage to a machine. Not idempotent: a second time is refused, also to the same machine.

        The status becomes pending whatever it was, so one that was cancelled before comes back to life, as there.

        Raises:
            NoRowError: there is no such stage.
            LockLostError: somebody has it.
        """
        stage = self._store.stages.find(stage_id)
        if stage.machine:
            raise LockLostError
        changes = {"machine": machine, "status": "pending", "updated": self._now()}
        return self._store.stages.update(stage.model_copy(update=changes), *_STAGE_FIELDS)

    def update_stage(self, stage: Stage) -> Stage:
        """Take a runner's word on a stage; return it with the new versions, and its steps with their ids.

        Raises:
            NoRowError: there is no such build.
            LockLostError: the stage, or a step of it, has another version.
            sqlite3.IntegrityError: the steps are there already.
        """
        starting = stage.status in {"pending", "running"}
        return self._before_all(stage) if starting else self.after_all(stage)

    def _before_all(self, stage: Stage) -> Stage:
        build = self._store.builds.find(stage.build_id)
        stage = self._write(stage)
        steps = [self._store.steps.insert(step) for step in stage.steps]
        if build.status == "pending":
            changes = {"status": "running", "started": self._now(), "updated": self._now()}
            with suppress(LockLostError):
                self._store.builds.update(build.model_copy(update=changes))
        return stage.model_copy(update={"steps": steps})

    def after_all(self, stage: Stage) -> Stage:
        """End a stage: its steps one by one, then itself, then what waits for it, then perhaps the build.

        Raises:
            NoRowError: there is no such build.
            LockLostError: a step or the stage has another version; the steps before it are written.
        """
        build = self._store.builds.find(stage.build_id)
        steps = [self._store.steps.update(_cut(step), *_STEP_FIELDS) for step in stage.steps]
        stage = self._write(stage).model_copy(update={"steps": steps})
        for step in steps:
            self._live.delete(step.id)
        self._move_on(build)
        return stage

    def fail(self, stage_id: int, error: str) -> None:
        """End a stage whose details could not be had, as the server does since 2.28.2: its version moves by two."""
        stage = self._store.stages.find(stage_id)
        changes = {"status": "error", "error": error, "stopped": self._now()}
        stage = self._write(stage.model_copy(update=changes))
        self.after_all(stage)

    def _write(self, stage: Stage) -> Stage:
        stage = stage.model_copy(update={"error": _short(stage.error), "updated": self._now()})
        return self._store.stages.update(stage, *_STAGE_FIELDS)

    # ------------------------------------------------------------------ steps

    def update_step(self, step: Step) -> Step:
        """Take a runner's word on a step; return it with its new version.

        A step said to run gets a new live log, even if it has one.

        Raises:
            LockLostError: it has another version, and is said to run.
            ServerError: it has another version, and is said to have ended: the text wraps the lock's.
        """
        if step.status in {"pending", "running"}:
            self._live.create(step.id)
            return self._store.steps.update(_cut(step), *_STEP_FIELDS)
        try:
            return self._store.steps.update(_cut(step), *_STEP_FIELDS)
        except LockLostError as error:
            raise ServerError(f"1 error occurred:\n\t* {error}\n\n") from None
        finally:
            self._live.delete(step.id)

    # ------------------------------------------------------------------ what follows from a stage's end

    def _move_on(self, build: Build) -> None:
        while self._skip_downstream(build) or self._schedule_downstream(build):
            pass
        self._queue.match()
        stages = self._store.stages_of(build.id)
        if not any(stage.status in _OPEN for stage in stages):
            self._finish(build, stages)

    def _skip_downstream(self, build: Build) -> bool:
        """Skip the waiting stages that do not fit how the build stands; whether there were any."""
        stages = self._store.stages_of(build.id)
        failed = any(stage.status in FAILED for stage in stages)
        idle = [stage for stage in _ready(stages) if not (stage.on_failure if failed else stage.on_success)]
        for stage in idle:
            changes = {"status": "skipped", "started": self._now(), "stopped": self._now(), "updated": self._now()}
            self._store.stages.update(stage.model_copy(update=changes))
        return bool(idle)

    def _schedule_downstream(self, build: Build) -> bool:
        ready = _ready(self._store.stages_of(build.id))
        for stage in ready:
            changes = {"status": "pending", "updated": self._now()}
            self._store.stages.update(stage.model_copy(update=changes))
        return bool(ready)

    def _finish(self, build: Build, stages: Sequence[Stage]) -> None:
        """The first stage that failed decides; a second end writes the build once more."""
        status = next((stage.status for stage in stages if stage.status in FAILED), "success")
        now = self._now()
        build = self._store.builds.find(build.id)
        changes = {"status": status, "started": build.started or now, "finished": now, "updated": now}
        with suppress(LockLostError):
            self._store.builds.update(build.model_copy(update=changes))

    # ------------------------------------------------------------------ cancelling

    def cancel(self, build: Build, status: str = "killed") -> Build:
        """Cancel a build: tell its watchers, then end its stages and steps. A build that is done is only tidied.

        Raises:
            LockLostError: the build has moved on meanwhile.
        """
        if build.status in {"pending", "running"}:
            changes = {"status": status, "finished": self._now(), "updated": self._now()}
            changes |= {} if build.started else {"started": self._now()}
            build = self._store.builds.update(build.model_copy(update=changes))
            self._canceller.cancel(build.id)
        for stage in self._store.stages_of(build.id):
            if not stage.done:
                self._end_stage(stage)
        self._queue.match()
        return build

    def _end_stage(self, stage: Stage) -> None:
        now = self._now()
        changes = {"status": "killed" if stage.started else "skipped", "stopped": now, "updated": now}
        self._store.stages.update(stage.model_copy(update={**changes, "started": stage.started or now}))
        for step in self._store.steps_of(stage.id):
            if not step.done:
                self._end_step(step)

    def _end_step(self, step: Step) -> None:
        """The live log stays: the runner's last word on the step ends it."""
        now = self._now()
        changes = {"status": "killed" if step.started else "skipped", "stopped": now, "exit_code": _KILLED}
        self._store.steps.update(step.model_copy(update={**changes, "started": step.started or now}))


def _ready(stages: Sequence[Stage]) -> list[Stage]:
    """The waiting stages whose dependencies are done."""
    undone = {stage.name for stage in stages if not stage.done}
    return [
        stage for stage in stages if stage.status == "waiting_on_dependencies" and not undone & set(stage.depends_on)
    ]


def _cut(step: Step) -> Step:
    return step.model_copy(update={"error": _short(step.error)})


def _short(text: str) -> str:
    """The error text as far as the server keeps it; a character cut through becomes U+FFFD."""
    return text.encode()[:_LONGEST_ERROR].decode("utf-8", "replace")
