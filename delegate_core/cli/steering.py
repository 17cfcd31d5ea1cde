"""``delegate pause``, ``resume``, ``drain``, ``stop``, ``reload``: orders to a running runner here; and its status."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from delegate_core.console.visible import visible, visible_json
from delegate_core.control import Answer, Order, ask
from delegate_core.errors import DelegateError
from delegate_core.settings import format_duration
from delegate_core.statefolder import StateFolder

__all__ = ["give", "given", "tell_status"]

_LOOK = 0.1
_MARGIN = 10.0
"""Seconds, beyond what a drain may take, that a runner has to be gone."""


def give(folder: Path, order: Order, *, wait: bool = False) -> int:
    """Give an order and print what it did; with ``wait``, return when the runner has left."""
    answer = given(folder, order)
    for line in answer.said:
        sys.stdout.write(f"{visible(line)}\n")
    if not answer.said:
        sys.stdout.write(f"process {answer.pid}: {_done(order, answer)}\n")
    if wait:
        _wait(folder, answer)
    return 0


def given(folder: Path, order: Order) -> Answer:
    """The runner's answer to an order.

    Raises:
        NoRunner: none is running there.
        DelegateError: it could not do it; with the exit code that it names.
    """
    answer = ask(folder, order)
    if answer.error:
        error = DelegateError(answer.error)
        error.exit_code = answer.code
        raise error
    return answer


def tell_status(folder: Path, *, as_json: bool) -> int:
    """Print how the runner of this folder stands; 1 if it is not ready."""
    answer = ask(folder, Order(do="status"))
    if as_json:
        told = answer.model_dump(exclude={"said", "error", "code", "within"})
        sys.stdout.write(visible_json(told, indent=2) + "\n")
    else:
        why = f": {visible(answer.why)}" if answer.why else ""
        age = "" if answer.since is None else f" for {format_duration(round(answer.since))}"
        ready = "ready" if answer.ready else "not ready"
        sys.stdout.write(
            f"process {answer.pid} is {answer.standing}{age}{why}\n"
            f"{ready}, {answer.running} of {answer.capacity} slots in use\n"
        )
    return 0 if answer.ready else 1


_DONE = {
    "pause": "takes no new task; what runs goes on",
    "resume": "takes tasks again",
    "drain": "takes no new task, and leaves when what runs is done and delivered",
    "stop": "cancels what runs, delivers, and leaves",
}


_TAKING = {"waiting", "working", "full", ""}
"""How a runner stands that takes tasks, or is of a version that does not say."""


def _done(order: Order, answer: Answer) -> str:
    """What an order has done. The end of a pause is not always the end of all that keeps a runner from taking tasks."""
    if order.do == "resume" and answer.standing not in _TAKING:
        return f"is not paused any more; it is {answer.standing}{f': {visible(answer.why)}' if answer.why else ''}"
    return _DONE[order.do]


def _wait(folder: Path, answer: Answer) -> None:
    deadline = time.monotonic() + answer.within + _MARGIN
    while StateFolder(folder).owner() == str(answer.pid):  # another owner is its successor
        if time.monotonic() > deadline:
            raise DelegateError(f"process {answer.pid} has not left; see its console, or `delegate stop`")
        time.sleep(_LOOK)
    sys.stdout.write(f"process {answer.pid}: has left\n")
