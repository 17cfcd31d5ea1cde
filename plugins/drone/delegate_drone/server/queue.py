"""The queue: which waiting runner is offered which pending stage.

A stage is offered, not reserved: until a runner has accepted it, the next one that asks is offered it as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from .errors import RestartedError
from .records import Stage, Wanted
from .rules import Rules
from .store import Store

__all__ = ["Queue", "fits", "has_room", "reason"]


@dataclass(eq=False, slots=True)
class _Worker:
    wanted: Wanted
    woken: anyio.Event = field(default_factory=anyio.Event)
    stage: Stage | None = None
    restarted: bool = False


class Queue:
    """Matches stages and runners.

    Args:
        store: where the stages are.
        rules: how long a runner waits.
        choice: which of several matching runners gets a stage; the real server leaves it to chance.
        changed: called when a runner waits or has stopped to.
    """

    def __init__(self, store: Store, rules: Rules, choice: random.Random, changed: Callable[[], None]) -> None:
        self._store, self._rules, self._choice, self._changed = store, rules, choice, changed
        self._workers: list[_Worker] = []
        self._paused = False

    @property
    def waiting(self) -> list[Wanted]:
        """What the waiting runners ask for."""
        return [worker.wanted for worker in self._workers]

    @property
    def paused(self) -> bool:
        """Whether no stage is offered."""
        return self._paused

    def pause(self) -> None:
        """Offer nothing from here on."""
        self._paused = True

    def resume(self) -> None:
        """Offer again."""
        self._paused = False
        self.match()

    def forget(self) -> None:
        """Break every wait, as a restart does; a pause does not survive it either."""
        self._paused = False
        for worker in self._workers:
            worker.restarted = True
            worker.woken.set()
        self._workers.clear()

    async def request(self, wanted: Wanted) -> Stage | None:
        """Wait for a stage; None if the time is over.

        Raises:
            RestartedError: the server has restarted meanwhile.
        """
        worker = _Worker(wanted)
        self._workers.append(worker)
        try:
            self.match()
            self._changed()
            with anyio.move_on_after(self._rules.long_poll):
                await worker.woken.wait()
        finally:
            if worker in self._workers:
                self._workers.remove(worker)
            self._changed()
        if worker.restarted:
            raise RestartedError
        return worker.stage

    def match(self) -> None:
        """Offer what can be offered: on a new stage, a new runner, a resumed queue, and every minute."""
        if self._paused or not self._workers:
            return
        stages = self._store.incomplete()
        for stage in stages:
            if stage.status == "pending" and not stage.machine and has_room(stage, stages):
                self._offer(stage)

    def _offer(self, stage: Stage) -> None:
        able = [worker for worker in self._workers if fits(stage, worker.wanted)]
        if able:
            chosen = self._choice.choice(able)
            self._workers.remove(chosen)
            chosen.stage = stage
            chosen.woken.set()


def has_room(stage: Stage, incomplete: Sequence[Stage]) -> bool:
    """Whether the pipeline's limit and the repository's throttle let a stage run now."""
    others = [other for other in incomplete if other.repo_id == stage.repo_id and other.id != stage.id]
    alike = [other for other in others if other.name == stage.name]
    if stage.limit > 0 and sum(other.id < stage.id or other.status == "running" for other in alike) >= stage.limit:
        return False
    return stage.throttle <= 0 or sum(other.id < stage.id for other in others) < stage.throttle


def fits(stage: Stage, wanted: Wanted) -> bool:
    """Whether a runner may be offered a stage: kind and type, platform, labels."""
    return _same_type(stage, wanted) and _same_platform(stage, wanted) and stage.labels == wanted.labels


def _same_type(stage: Stage, wanted: Wanted) -> bool:
    kinds = stage.kind or "pipeline", wanted.kind or "pipeline"
    types = stage.type or "docker", wanted.type or "docker"
    return kinds[0] == kinds[1] and types[0] == types[1]


def _same_platform(stage: Stage, wanted: Wanted) -> bool:
    """A runner that names no platform takes each. Variant and kernel count only where the stage names them."""
    if not (wanted.os or wanted.arch or wanted.variant or wanted.kernel):
        return True
    return (
        (stage.os, stage.arch) == (wanted.os, wanted.arch)
        and stage.variant in {"", wanted.variant}
        and stage.kernel in {"", wanted.kernel}
    )


def reason(stage: Stage, queue: Queue, incomplete: Sequence[Stage]) -> str:
    """Why a pending stage is not being run, for a person; empty if a runner is about to take it."""
    if queue.paused:
        return "the queue is paused"
    if not has_room(stage, incomplete):
        return "as many as its concurrency allows are under way"
    if not queue.waiting:
        return "no runner is asking for work"
    if not any(_same_type(stage, wanted) for wanted in queue.waiting):
        return f"no runner is asking for type {stage.type or 'docker'}"
    if not any(_same_type(stage, wanted) and _same_platform(stage, wanted) for wanted in queue.waiting):
        return f"no runner is on {stage.os}/{stage.arch}"
    return "" if any(fits(stage, wanted) for wanted in queue.waiting) else "no runner has just its labels"
