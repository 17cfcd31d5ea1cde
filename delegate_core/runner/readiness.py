"""Whether a runner does what it is there for, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from delegate_core.runner.snapshot import Snapshot

__all__ = ["Readiness", "readiness", "waiting"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Ready means: takes tasks, and a call to the server has succeeded lately.

    Args:
        ready: whether it is.
        brief: why not, in words that anybody may read; empty when it is.
        detail: what else there is to say to who may know more: the last fault, with addresses.
    """

    ready: bool
    brief: str = ""
    detail: str = ""

    @property
    def reason(self) -> str:
        """All that there is to say."""
        return f"{self.brief}: {self.detail}" if self.detail else self.brief


def readiness(snapshot: Snapshot) -> Readiness:
    """Whether a runner in this state is ready."""
    if snapshot.ready:
        return Readiness(ready=True)
    if snapshot.state != "running":
        how = "in maintenance" if snapshot.maintenance else snapshot.state
        return Readiness(False, f"the runner is {how}", snapshot.reason or snapshot.trouble)
    if snapshot.obstacles:
        return Readiness(False, "something on its machine is in the way", "; ".join(snapshot.obstacles))
    if snapshot.since_contact is None:
        return Readiness(False, "no call to the server has succeeded yet", snapshot.trouble)
    return Readiness(False, f"no call to the server has succeeded for {snapshot.since_contact:.0f}s", snapshot.trouble)


_OUT_OF_TOUCH = {"offline": "the server cannot be reached", "unauthorized": "the server refuses this runner"}


def waiting(snapshot: Snapshot) -> str:
    """Why nothing happens, where nothing does; empty where a task runs."""
    if snapshot.running:
        return ""
    ready, stands = readiness(snapshot), snapshot.standing
    if stands.word in _OUT_OF_TOUCH:
        return f"{_OUT_OF_TOUCH[stands.word]}: {stands.reason}"
    return stands.reason if ready.ready else ready.reason
