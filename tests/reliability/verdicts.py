"""What must be true of each claimed task, whatever died or broke on the way."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.sides import End

CANARY = "canary-7f3a-secret"
"""A task's secret, which the task prints."""

MASK = "******"
CUT = "the runner was restarted"
RESTARTED = "runner restarted"


def commands(folder: Path, task: str) -> list[str]:
    """A task that notes that it runs, prints, and prints its secret."""
    return [f"echo ran >> {folder}/ran-{task}", "echo hello", f"echo token={CANARY}"]


def runs(folder: Path, task: str) -> int:
    """How often the task's commands were begun."""
    noted = folder / f"ran-{task}"
    return noted.read_text().count("ran") if noted.exists() else 0


def faults_of(end: End, times_run: int, expected: str, *, unseen_steps: bool = False) -> list[str]:
    """What is wrong with a task's end.

    Args:
        end: as the server tells it.
        times_run: how often it was begun.
        expected: ``done``, ``restarted``, or ``either``.
        unseen_steps: the reply with the ids of its steps was lost, so nobody can end them.
    """
    found = [] if unseen_steps else list(end.complaints)
    if end.finals != 1:
        found.append(f"{end.finals} final reports took effect")
    if times_run > 1:
        found.append(f"it ran {times_run} times")
    if expected == "done" and not end.succeeded:
        found.append(f"it should have succeeded, but failed: {end.error}")
    if expected == "restarted" and (end.succeeded or RESTARTED not in end.error):
        found.append(f"it should have ended by the restart, but: {'succeeded' if end.succeeded else end.error}")
    return [*found, *_faults_of_logs(end, times_run)]


def _faults_of_logs(end: End, times_run: int) -> list[str]:
    found = [f"the secret is in the log of {name or 'the task'}" for name, log in end.logs.items() if CANARY in log]
    first = next(iter(end.logs.values()), None)
    if end.succeeded:
        if times_run != 1:
            found.append(f"it succeeded, but ran {times_run} times")
        if first is None or "hello" not in first or MASK not in first:
            found.append(f"it succeeded, but its log is not whole: {first!r}")
    elif first is not None and "hello" in first and f"token={MASK}" not in first and CUT not in first:
        found.append(f"its log does not say that it was cut: {first!r}")
    elif first is None and times_run:
        found.append("it ran, but no log of it is stored")
    return found
