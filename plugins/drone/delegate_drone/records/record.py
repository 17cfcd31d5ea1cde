"""What is known of a stage's rows at the server: plain values, made to be journaled.

The JSON of a `StageRecord` is an object with these keys::

    format   1
    phase    claimed, starting, lost, running, finishing, finished or ended: see `Phase`
    stage    the stage's row as the server last confirmed it, in the server's own keys, without steps
    unsure   an update of the stage was sent whose reply is not known: the row's version may be one more than here
    steps    a list of {row, tried}: the step's row as last confirmed, in the server's keys, and the statuses that were
             sent with this very version without a known reply (empty: the version is certain)

No token and no secret is in it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, field_serializer

from delegate_drone.wire import Stage, Step

__all__ = ["Phase", "StageRecord", "StepRecord"]


class Phase(StrEnum):
    """How far a stage has come, as the server was told.

    CLAIMED: accepted, and nothing was told since. STARTING: its start was sent, the reply is not known. LOST: the
    reply is lost for good, so the ids of its steps are not known; it can only be finished. RUNNING: started. FINISHING:
    its end was sent, the reply is not known. FINISHED: the server has taken its end. ENDED: the server has ended it by
    itself, and nothing more is to be told.
    """

    CLAIMED = "claimed"
    STARTING = "starting"
    LOST = "lost"
    RUNNING = "running"
    FINISHING = "finishing"
    FINISHED = "finished"
    ENDED = "ended"


class StepRecord(BaseModel):
    """One step's row, and the statuses that were sent with its version without a known reply."""

    model_config = ConfigDict(frozen=True)

    row: Step
    tried: tuple[str, ...] = ()

    def trying(self, status: str) -> Self:
        """The record with one more status that was sent."""
        return self if status in self.tried else self.model_copy(update={"tried": (*self.tried, status)})

    @field_serializer("row")
    def _in_server_keys(self, row: Step) -> dict[str, Any]:
        return row.wire()


class StageRecord(BaseModel):
    """All that has to be known of a stage to go on telling the server about it."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    phase: Phase = Phase.CLAIMED
    stage: Stage
    unsure: bool = False
    steps: tuple[StepRecord, ...] = ()

    @field_serializer("stage")
    def _in_server_keys(self, stage: Stage) -> dict[str, Any]:
        return stage.wire()

    @classmethod
    def of(cls, stage: Stage) -> Self:
        """The record of a stage that was just accepted."""
        return cls(stage=stage.model_copy(update={"steps": ()}))

    def step(self, number: int) -> StepRecord:
        """The step with this number.

        Raises:
            KeyError: the stage was not started with such a step.
        """
        for known in self.steps:
            if known.row.number == number:
                return known
        raise KeyError(f"stage {self.stage.id} has no step {number} at the server")

    def having(self, step: StepRecord) -> Self:
        """The record with this step's instead of the former one."""
        number = step.row.number
        steps = tuple(step if each.row.number == number else each for each in self.steps)
        return self.model_copy(update={"steps": steps})

    def probes(self) -> tuple[StepRecord, ...]:
        """Unfinished steps whose version is certain, those without a live log first."""
        open_steps = [step for step in self.steps if not step.row.is_done and not step.tried]
        return tuple(sorted(open_steps, key=lambda step: step.row.status == "running"))

    def plain(self) -> dict[str, Any]:
        """The record as JSON: see this module's text."""
        return self.model_dump(mode="json")
