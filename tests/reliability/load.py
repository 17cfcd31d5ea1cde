"""Work for a soak: mixed tasks that are queued as others end, under faults at every kind of call."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import anyio

from delegate_core.testing.proxy import Fault, FaultProxy, Mishap, Request
from delegate_drone.server import Order
from delegate_drone.server.tasktext import write_task
from delegate_harness.manager import Submission
from tests.reliability.sides import DroneSide, HarnessSide, Side

__all__ = ["HANDLERS", "Load", "add_faults"]

HANDLERS = """
import asyncio
from delegate_core import TaskContext, handler

@handler("echo")
async def echo(data: dict) -> dict:
    return data

@handler("talk")
async def talk(context: TaskContext) -> dict:
    for number in range(20):
        context.log(f"line {number}")
    return {}

@handler("thread")
def thread(context: TaskContext) -> dict:
    context.log("in a thread")
    return {}

@handler("fail")
async def fail() -> None:
    raise RuntimeError("it fails")

@handler("hold")
async def hold() -> None:
    await asyncio.sleep(20)  # an abort that was told in a lost reply is not told again
"""

MIX = {"echo": 50, "talk": 25, "thread": 10, "fail": 8, "script": 5, "hold": 2}
"""Tasks by type, of a hundred; those that hold are cancelled by a user."""

FAULTS: tuple[dict[str, Any], ...] = (
    {"mishap": Mishap.LOSE_REQUEST},
    {"mishap": Mishap.LOSE_REPLY},
    {"mishap": Mishap.CUT_REQUEST},
    {"mishap": Mishap.CUT_REPLY},
    {"mishap": Mishap.DELAY, "seconds": 0.3},
    {"mishap": Mishap.STATUS, "status": 502},
    {"mishap": Mishap.GARBAGE},
    {"mishap": Mishap.TRUNCATED},
    {"mishap": Mishap.DUPLICATE},
)
RATE = 0.002
"""How many calls meet each of the faults."""

OUTSTANDING = 60


def add_faults(proxy: FaultProxy, choose: random.Random) -> None:
    """Have some calls go wrong, of any kind, in any way."""

    def sometimes(_request: Request) -> bool:
        return choose.random() < RATE

    proxy.plan.add(*(Fault(which=sometimes, times=None, **fault) for fault in FAULTS))


class Load:
    """The tasks of one run.

    Args:
        side: the control plane.
        total: how many.
        choose: in which order they come.

    Attributes:
        kinds: what was queued: the kind of each task, by its id.
    """

    def __init__(self, side: Side, total: int, choose: random.Random) -> None:
        self.kinds: dict[str, str] = {}
        self._side = side
        self._total = total
        self._deck = _decks(choose)
        self._waiting: set[str] = set()
        self._cancelled: set[str] = set()

    async def feed(self, seconds: float, ended: Callable[[int], object]) -> None:
        """Queue tasks as others end, until all have ended or the time is over; ``ended`` is told how many have."""
        with anyio.move_on_after(seconds):
            while len(self.kinds) < self._total or self._waiting:
                while len(self.kinds) < self._total and len(self._waiting) < OUTSTANDING:
                    self._queue(next(self._deck))
                await anyio.sleep(0.05)
                self._waiting = {task_id for task_id in self._waiting if not self._side.is_ended(task_id)}
                self._cancel(self._side.is_claimed)
                ended(len(self.kinds) - len(self._waiting))
        self._cancel(lambda _: True)

    def _queue(self, kind: str) -> None:
        task_id = _submit(self._side, kind)
        self.kinds[task_id] = kind
        self._waiting.add(task_id)

    def _cancel(self, which: Callable[[str], bool]) -> None:
        """Cancel those that hold, as a user does."""
        held = {task_id for task_id in self._waiting - self._cancelled if self.kinds[task_id] == "hold"}
        for task_id in filter(which, held):
            self._side.cancel(task_id)
            self._cancelled.add(task_id)


def _decks(choose: random.Random) -> Iterator[str]:
    """Kinds of tasks for ever, each hundred of the same mix: so the logs of any thousand tasks are as many."""
    deck = [kind for kind, count in MIX.items() for _ in range(count)]
    while True:
        choose.shuffle(deck)
        yield from deck


def _submit(side: Side, kind: str) -> str:
    """Queue a task of a kind; its id."""
    data: dict[str, Any] = {"commands": ["echo hello", "sleep 0.05 & wait"]} if kind == "script" else {"n": 1}
    if isinstance(side, HarnessSide):
        return side.manager.submit(Submission(kind, data, timeout_ms=600_000, abstractions={"log": uuid.uuid4().hex}))
    assert isinstance(side, DroneSide)
    build = side.drone.create(Order(text=write_task(kind, data, 600.0)))
    return str(side.drone.stages_of(build.id)[0].id)
