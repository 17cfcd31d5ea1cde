"""An invented runner: what pictures, the page of metrics and tests of the view are drawn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from delegate_core.model import StepReport
from delegate_core.runner.snapshot import Snapshot
from delegate_core.runner.standing import Standing

__all__ = ["NOON", "PRINTED", "STEPS", "snapshot"]

NOON = 1_767_268_800.0
"""Twelve o'clock UTC of some day, in seconds since 1970."""

STEPS = (
    StepReport(1, "clone", "pending"),
    StepReport(2, "lint", "pending", detail={"depends_on": ["clone"]}),
    StepReport(3, "unit-tests", "pending", detail={"depends_on": ["clone"]}),
    StepReport(4, "build", "pending", detail={"depends_on": ["clone"]}),
    StepReport(5, "publish", "pending", detail={"depends_on": ["lint", "unit-tests", "build"]}),
)
"""Of a pipeline, as its stage begins."""

PRINTED = (
    ("build", "+ make -j4"),
    ("unit-tests", "+ pytest -q"),
    ("build", "[ 12%] compiling src/store/index.c"),
    ("unit-tests", "\x1b[32m........................\x1b[0m [ 24%]"),
    ("build", "[ 38%] compiling src/store/journal.c"),
    ("unit-tests", "\x1b[32m...........\x1b[31mF\x1b[32m............\x1b[0m [ 48%]"),
    ("build", "\x1b[33mwarning: unused variable 'old'\x1b[0m"),
    ("build", "[ 61%] compiling src/cart/total.c"),
)
"""Of its steps: step and line."""

_IDLE = Snapshot(
    name="build-7",
    state="running",
    reason="",
    session="account acme at https://manager.example",
    capacity=10,
    used=0,
    uptime=8043.0,
    since_heartbeat=12.0,
    since_poll=0.2,
    since_contact=0.2,
    ready=True,
    trouble="",
    holds=(),
    running=(),
    polls=0,
    claimed=0,
    finished={},
    delivered=0,
    undeliverable=0,
    backlog=0,
    abandoned_threads=0,
    logs_open=0,
    standing=Standing("waiting", "no task for this runner on the server", 4.0),
)


def snapshot(**changes: Any) -> Snapshot:
    """The runner with nothing to do, or as changed: names and values are those of `Snapshot`."""
    return replace(_IDLE, **changes)
