"""Thousands of mixed tasks under faults on both backends, while the runner is watched: does anything grow?

``python -m tests.reliability.soak --tasks 10000 --minutes 12``. Prints a table; ends with status 1 if a task was lost
or doubled, or something grew beyond its tolerance.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psutil

from delegate_core.testing.proxy import Fault, FaultProxy, Mishap, Request
from delegate_drone.server import Order
from delegate_drone.server.tasktext import write_task
from delegate_harness.manager import Submission
from tests.reliability.runners import Running, started
from tests.reliability.sides import DroneSide, End, HarnessSide, Side, opened

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
WARM_UP = 0.4
"""The part of the tasks after which nothing should grow any more: the history is full by then."""

HISTORY = 1000
"""Tasks that the journal keeps to look back at, with their logs: until then files and memory have to grow."""

TOLERANCES = {"memory (KiB)": 1024.0, "descriptors": 1.0, "threads": 1.0, "processes": 1.0, "files": 10.0}
"""How much may be added by a thousand tasks."""


@dataclass
class Samples:
    """What was seen of one runner: how many tasks had ended, and its figures then."""

    seen: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def take(self, runner: Running, folder: Path, ended: int) -> None:
        process = psutil.Process(runner.pid)
        with process.oneshot():
            figures = {
                "memory (KiB)": process.memory_info().rss / 1024,
                "descriptors": float(process.num_fds()),
                "threads": float(process.num_threads()),
                "processes": float(len(process.children(recursive=True))),
                "files": float(sum(len(files) for _, _, files in os.walk(folder))),
            }
        self.seen.append((ended, figures))

    def rows(self, total: int) -> Iterator[tuple[str, float, float, float, bool]]:
        """Name, first and last figure, growth by a thousand tasks, and whether that is tolerated."""
        settled = [(ended, figures) for ended, figures in self.seen if ended >= total * WARM_UP]
        for name, most in TOLERANCES.items():
            points = [(ended, figures[name]) for ended, figures in settled]
            slope = 1000 * _slope(points)
            yield name, points[0][1], points[-1][1], slope, slope <= most


def _slope(points: list[tuple[int, float]]) -> float:
    """The growth by one task, by least squares."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def submit(side: Side, kind: str) -> str:
    """Queue a task of a kind; its id."""
    data: dict[str, Any] = {"commands": ["echo hello", "sleep 0.05 & wait"]} if kind == "script" else {"n": 1}
    if isinstance(side, HarnessSide):
        return side.manager.submit(Submission(kind, data, timeout_ms=600_000, abstractions={"log": uuid.uuid4().hex}))
    assert isinstance(side, DroneSide)
    build = side.drone.create(Order(text=write_task(kind, data, 600.0)))
    return str(side.drone.stages_of(build.id)[0].id)


async def soak(name: str, total: int, seconds: float, choose: random.Random) -> bool:
    """One backend's share; whether all is well."""
    samples, begun = Samples(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        folder = Path(place)
        (folder / "work.py").write_text(HANDLERS)
        async with opened(name) as side, FaultProxy(side.url, kept=10) as proxy:
            await _add_faults(proxy, choose)
            async with started(folder, side, proxy.url, "--handlers", "work.py", "--drain-timeout", "60s") as runner:
                ids = await _feed(side, total, choose, lambda ended: samples.take(runner, folder, ended), seconds)
                proxy.plan.clear()
                ends = [await side.ended(task_id, 120.0) for task_id in ids]
                samples.take(runner, folder, len(ids))
                runner.signal(signal.SIGTERM)
                code = await runner.ended(90)
    bad = {task_id: fault for task_id, end in zip(ids, ends, strict=True) if (fault := _fault_of(end))}
    outcomes = Counter("succeeded" if end.succeeded else "failed" for end in ends)
    took = time.monotonic() - begun
    print(f"\n{name}: {len(ids)} tasks in {took:.0f} s, {dict(outcomes)}, exit {code}", flush=True)
    print(f"  not as they should be: {bad or 'none'}")
    return _print(samples, total) and not bad and code == 0 and len(ids) == total


def _fault_of(end: End) -> str:
    """What is wrong with a task's end; a stage whose steps' ids were lost has steps that nobody can end."""
    if end.finals != 1:
        return f"{end.finals} final reports"
    return "" if "reply was lost" in end.error else ", ".join(end.complaints)


async def _add_faults(proxy: FaultProxy, choose: random.Random) -> None:
    def sometimes(_request: Request) -> bool:
        return choose.random() < RATE

    proxy.plan.add(*(Fault(which=sometimes, times=None, **fault) for fault in FAULTS))


async def _feed(side: Side, total: int, choose: random.Random, sample: Any, seconds: float) -> list[str]:
    """Submit tasks as others end, and look at the runner now and then; the ids."""
    kinds, weights = list(MIX), list(MIX.values())
    ids: list[str] = []
    waiting: dict[str, str] = {}
    looked = 0
    with anyio.move_on_after(seconds):
        while len(ids) < total or waiting:
            while len(ids) < total and len(waiting) < OUTSTANDING:
                kind = choose.choices(kinds, weights)[0]
                ids.append(submit(side, kind))
                waiting[ids[-1]] = kind
            await anyio.sleep(0.05)
            for task_id, kind in list(waiting.items()):
                if side.is_ended(task_id):
                    del waiting[task_id]
                elif kind == "hold" and side.is_claimed(task_id):
                    side.cancel(task_id)
                    waiting[task_id] = "cancelled"
            ended = len(ids) - len(waiting)
            if ended - looked >= max(1, total // 100):
                looked = ended
                sample(ended)
    for task_id, kind in waiting.items():
        if kind == "hold":
            side.cancel(task_id)
    return ids


def _print(samples: Samples, total: int) -> bool:
    judged = total * WARM_UP >= HISTORY
    if not judged:
        print(f"  (not judged: growth shows once more than {HISTORY / WARM_UP:.0f} tasks of this backend have run)")
    print(f"  {'':14} {'at first':>10} {'at last':>10} {'per 1,000':>10} {'tolerated':>10}")
    fine = True
    for name, first, last, slope, tolerated in samples.rows(total):
        fine = fine and (tolerated or not judged)
        word = "" if tolerated or not judged else "  GROWS"
        print(f"  {name:14} {first:10.0f} {last:10.0f} {slope:+10.2f} {TOLERANCES[name]:10.0f}{word}")
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000, help="of both backends together")
    parser.add_argument("--minutes", type=float, default=12.0, help="in which they must have been taken")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("harness", "drone"))
    given = parser.parse_args()
    shares = {given.only: 1.0} if given.only else {"harness": 0.7, "drone": 0.3}  # a stage takes many calls
    fine = True
    for name, share in shares.items():
        each, seconds = int(given.tasks * share), given.minutes * 60 / len(shares)
        fine = anyio.run(soak, name, each, seconds, random.Random(given.seed)) and fine
    sys.exit(not fine)


if __name__ == "__main__":
    main()
