"""The embedded manager in a process of its own: queues tasks, and prints what became of them as one line of JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence

import anyio

from delegate_harness.manager import EmbeddedManager, Rules, Submission, TaskRecord

ACCOUNT, SECRET = "bench", "0123456789abcdef" * 2


def main() -> None:
    """Serve until all tasks are done, or for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=0)
    parser.add_argument("--every", type=float, default=0.0, help="seconds between two tasks; 0: all at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="the longest time")
    parser.add_argument("--listed", type=int, default=100, help="most tasks that a poll lists")
    given = parser.parse_args()
    anyio.run(serve, given, backend_options={"use_uvloop": True})


async def serve(given: argparse.Namespace) -> None:
    """Serve, queue, wait, report."""
    rules = Rules(event_limit=given.listed, rounds=None, keep_finished=1_000_000)
    async with EmbeddedManager(ACCOUNT, SECRET, rules=rules) as manager:
        print(manager.url, flush=True)
        ids: list[str] = []
        if given.every == 0:
            ids = [manager.submit(Submission("bench", {"n": 1})) for _ in range(given.tasks)]
        await manager.wait_for(lambda state: state.calls["task-events"] > 0, timeout=30)
        before = dict(manager.state.calls)
        started = anyio.current_time()
        with anyio.move_on_after(given.seconds):
            while given.every and len(ids) < given.tasks:
                ids.append(manager.submit(Submission("bench", {"n": 1})))
                await anyio.sleep(given.every)
            for task_id in ids:
                await manager.wait_finished(task_id, timeout=float("inf"))
            if not ids:
                await anyio.sleep_forever()
        seconds = anyio.current_time() - started
        calls = {name: count - before.get(name, 0) for name, count in manager.state.calls.items()}
        print(json.dumps(report([manager.task(one) for one in ids], seconds, calls)), flush=True)
        sys.stdin.readline()  # the runner is told to leave first


def report(tasks: Sequence[TaskRecord], seconds: float, calls: dict[str, int]) -> dict[str, float]:
    """Figures: times in seconds, pick-up in milliseconds."""
    done = [task for task in tasks if task.outcome is not None and task.outcome.verdict == "succeeded"]
    pickups = sorted((task.events("acquired")[0].at - task.created) * 1000 for task in done) or [0.0]
    first = min((task.events("offered")[0].at for task in done), default=0.0)
    last = max((task.outcome.at for task in done if task.outcome), default=0.0)
    return {
        "done": len(done),
        "of": len(tasks),
        "tasks_per_s": len(done) / (last - first) if last > first else 0.0,
        "pickup_p50_ms": statistics.median(pickups),
        "pickup_p99_ms": pickups[int((len(pickups) - 1) * 0.99)],
        "polls_per_s": calls.get("task-events", 0) / seconds,
        "requests_per_s": sum(calls.values()) / seconds,
    }


if __name__ == "__main__":
    main()
