"""Thousands of mixed tasks under faults on both backends, while the runner is watched: does anything grow?

``python -m tests.reliability.soak --tasks 10000 --minutes 12``. Prints a table; ends with status 1 if a task was lost
or doubled, or something grew beyond its tolerance. Where a task has not ended, it names a folder with what tells why.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import anyio

from delegate_core.testing.proxy import FaultProxy
from tests.reliability.growth import BLOCK, FEWEST_BLOCKS, Samples
from tests.reliability.load import HANDLERS, Load, add_faults
from tests.reliability.runners import started
from tests.reliability.scene import KEPT, Scene
from tests.reliability.sides import End, Side, opened

WARM_UP = 1200
"""Tasks that are not judged at least: the journal's history of a thousand is full only then."""

WARM_UP_SHARE = 0.5
"""Of all tasks: what is bounded fills slowly, what is remembered of thousands of tasks, and the allocator's pools."""

LOOKS = 8
"""Tasks between two looks at the runner, so that each block of `growth` has many."""

PATIENCE = 120.0
"""Seconds in which every task must have ended once no more are queued and the faults are over."""


class Watching:
    """Looks at the runner as tasks end.

    Attributes:
        samples: what was seen.
        warm_up: tasks after which it is judged.
        files: the kinds of files at the first judged look and at the last one.
    """

    def __init__(self, scene: Scene, total: int) -> None:
        self.samples = Samples()
        self.warm_up = max(WARM_UP, int(total * WARM_UP_SHARE))
        self.files: list[Counter[str]] = []
        self._scene = scene
        self._ended = -LOOKS

    def look(self, ended: int, *, now: bool = False) -> None:
        """Look, if enough have ended since the last time."""
        if not now and ended - self._ended < LOOKS:
            return
        self._ended = ended
        self.samples.add(ended, self._scene.figures())
        if ended >= self.warm_up:
            self.files[1:] = [self._scene.kinds_of_files()]


async def soak(name: str, total: int, seconds: float, choose: random.Random) -> bool:
    """One backend's share; whether all is well."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        folder = Path(place)
        (folder / "work.py").write_text(HANDLERS)
        async with opened(name) as side, FaultProxy(side.url, kept=KEPT) as proxy:
            add_faults(proxy, choose)
            async with started(folder, side, proxy.url, "--handlers", "work.py", "--drain-timeout", "60s") as runner:
                load, scene = Load(side, total, choose), Scene(folder, runner, proxy, side)
                watching = Watching(scene, total)
                await load.feed(seconds, watching.look)
                proxy.plan.clear()
                ends = await _ends(side, list(load.kinds))
                watching.look(len(ends), now=True)
                kept = (
                    scene.keep(late) if (late := [task_id for task_id in load.kinds if task_id not in ends]) else None
                )
                runner.signal(signal.SIGTERM)
                code = await runner.ended(90)
    took = time.monotonic() - begun
    outcomes = dict(Counter("succeeded" if end.succeeded else "failed" for end in ends.values()))
    print(f"\n{name}: {len(load.kinds)} tasks in {took:.0f} s, {outcomes}, exit {code}", flush=True)
    bad = {task_id: fault for task_id, end in ends.items() if (fault := _fault_of(end))}
    print(f"  not as they should be: {bad or 'none'}")
    if kept:
        print(f"  not ended after {PATIENCE:.0f} s: {', '.join(late)}; what was seen of them is in {kept}")
    return _print(watching) and not bad and not late and code == 0 and len(ends) == total


async def _ends(side: Side, task_ids: list[str]) -> dict[str, End]:
    """How they ended, of those that have within the time."""
    ends = {}
    with anyio.move_on_after(PATIENCE):
        await side.wait_for(lambda: all(map(side.is_ended, task_ids)), float("inf"))
    for task_id in task_ids:
        if side.is_ended(task_id):
            ends[task_id] = await side.ended(task_id)
    return ends


def _fault_of(end: End) -> str:
    """What is wrong with a task's end; a stage whose steps' ids were lost has steps that nobody can end."""
    if end.finals != 1:
        return f"{end.finals} final reports"
    return "" if "reply was lost" in end.error else ", ".join(end.complaints)


def _print(watching: Watching) -> bool:
    """The table; whether nothing in it grows."""
    growths = list(watching.samples.growths(watching.warm_up))
    if not growths:
        least = 2 * BLOCK * FEWEST_BLOCKS
        print(f"  (growth is not judged: it shows once more than {least} tasks of this backend have run)")
        return True
    print(f"  {'':14} {'at first':>10} {'at last':>10} {'per 1,000':>10} {'tolerated':>10}")
    for growth in growths:
        figures = f"{growth.first:10.0f} {growth.last:10.0f} {growth.slope:+10.2f} {growth.most:10.0f}"
        print(f"  {growth.name:14} {figures}{'' if growth.is_tolerated else '  GROWS'}")
    if any(growth.name == "files" and not growth.is_tolerated for growth in growths):
        before, after = watching.files
        print(
            "  files that are more: "
            + ", ".join(f"{kind} {count:+}" for kind, count in (after - before).most_common(8))
        )
    return all(growth.is_tolerated for growth in growths)


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
