"""How what is ours is named on the engine, so that it can be found again whatever became of its maker."""

from __future__ import annotations

from dataclasses import dataclass

from delegate_core.pipeline.spec import Step

__all__ = ["OWNER", "STAGE", "StageNames"]

OWNER = "delegate.owner"
"""Who made it: the runner's state folder, or the process of a command; see `ProcessOwner`."""
STAGE = "delegate.stage"
"""For which run of a stage."""
_STAGE_NAME = "delegate.stage.name"
_STEP_NAME = "delegate.step.name"


@dataclass(frozen=True, slots=True)
class StageNames:
    """The names and labels of what one run of a stage has on the engine."""

    owner: str
    id: str
    name: str

    @property
    def network(self) -> str:
        """Its network."""
        return f"delegate-{self.id}"

    def volume(self, number: int) -> str:
        """One of its volumes."""
        return f"delegate-{self.id}-{number}"

    def container(self, number: int) -> str:
        """The container of a step."""
        return f"delegate-{self.id}-step-{number}"

    def labels(self, step: Step | None = None) -> dict[str, str]:
        """What it, or one of its steps, is labelled with."""
        own = {OWNER: self.owner, STAGE: self.id, _STAGE_NAME: self.name}
        return own if step is None else {**own, _STEP_NAME: step.name}
