"""How a runner stands: one word and its reason, for whoever asks why nothing happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["MAINTENANCE", "PAUSED", "WORDS", "Facts", "Hold", "Standing", "standing"]

PAUSED: Final = "paused"
MAINTENANCE: Final = "maintenance"
"""Names of the holds that an operator sets."""

WORDS: Final = {
    "starting": "it has not begun to register",
    "registering": "it asks the server to take it",
    "waiting": "it asks for tasks and the server has none for it",
    "working": "tasks run, and more would be taken",
    "full": "tasks run in all slots",
    "held": "it takes no task for now: a disk or memory short, a backlog, an engine, the journal",
    "paused": "an operator has paused it, until it is resumed or started again",
    "maintenance": "an operator has it in maintenance, until that is ended, a restart included",
    "offline": "no call to the server succeeds",
    "unauthorized": "the server refuses its secret or token",
    "draining": "it finishes what runs, and leaves",
    "stopping": "it ends what runs, and leaves",
    "stopped": "it has left",
}
"""Every word that a runner's standing may be, and what it means. Words are added and never changed."""

_NO_TASK: Final = "no task for this runner on the server"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a runner stands.

    Attributes:
        word: one of `WORDS`.
        reason: why, for people; empty where the word says all.
        since: seconds for which it has been so; None: not known.
    """

    word: str = ""
    reason: str = ""
    since: float | None = None

    def __str__(self) -> str:
        """In one line: ``waiting: no task for this runner on the server``."""
        return f"{self.word}: {self.reason}" if self.reason else self.word


@dataclass(frozen=True, slots=True)
class Hold:
    """Why no task is taken; ``partial``: of some types only."""

    reason: str
    seconds: float
    partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a runner at one moment. Ages are seconds; None: never.

    Attributes:
        state: of the runner, as the hook ``runner_state`` is told.
        reason: for it.
        in_state: seconds for which it has been in this state.
        running: number of tasks.
        used: slots that are taken.
        capacity: slots.
        holds: by name.
        trouble: the last fault of a call that keeps it in touch with the server; empty: the last one succeeded.
        refused: that fault is the server's refusal of the secret or token.
        since_contact: age of the last call that succeeded.
        idle: seconds without a task.
        wanted: what it asks the server for, in the backend's words.
    """

    state: str
    reason: str
    in_state: float
    running: int
    used: int
    capacity: int
    holds: Mapping[str, Hold]
    trouble: str
    refused: bool
    since_contact: float | None
    idle: float
    wanted: str


def standing(facts: Facts) -> Standing:
    """The first that applies: leaving, an operator's order, the server, this machine, work."""
    if facts.state in {"draining", "stopping", "stopped"}:
        return Standing(facts.state, facts.reason, facts.in_state)
    for name in (MAINTENANCE, PAUSED):
        if name in facts.holds:
            return Standing(name, facts.holds[name].reason, facts.holds[name].seconds)
    if facts.trouble:
        return _out_of_touch(facts)
    if facts.state != "running":
        return Standing("starting" if facts.state == "new" else facts.state, facts.reason, facts.in_state)
    return _held(facts) or _at_work(facts)


def _out_of_touch(facts: Facts) -> Standing:
    if facts.refused:
        return Standing("unauthorized", facts.trouble, facts.since_contact)
    if facts.since_contact is None:
        return Standing("offline", f"no call to the server has succeeded yet: {facts.trouble}", facts.in_state)
    return Standing("offline", facts.trouble, facts.since_contact)


def _held(facts: Facts) -> Standing | None:
    whole = [hold for hold in facts.holds.values() if not hold.partial]
    if not whole:
        return None
    return Standing("held", "; ".join(hold.reason for hold in whole), max(hold.seconds for hold in whole))


def _at_work(facts: Facts) -> Standing:
    also = "; ".join(hold.reason for hold in facts.holds.values())
    if facts.running and facts.used >= facts.capacity:
        return Standing("full", also)
    if facts.running:
        return Standing("working", also)
    none = f"no task on the server for {facts.wanted}" if facts.wanted else _NO_TASK
    return Standing("waiting", f"{none}; {also}" if also else none, facts.idle)
