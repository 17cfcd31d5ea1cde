"""An invented runner: what pictures, the page of metrics and tests of the view are drawn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from delegate_core.runner.snapshot import Snapshot
from delegate_core.runner.standing import Standing

__all__ = ["NOON", "snapshot"]

NOON = 1_767_268_800.0
"""Twelve o'clock UTC of some day, in seconds since 1970."""

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
