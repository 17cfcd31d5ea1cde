"""What a runner is doing, seen from outside."""

from __future__ import annotations

import time
from dataclasses import replace

from delegate_core.logs import Secrecy
from delegate_core.plugins import Plugins
from delegate_core.runner.advice import Advices
from delegate_core.runner.connection import Connection
from delegate_core.runner.core import Core
from delegate_core.runner.engines import Engines
from delegate_core.runner.host import HOST_HOLDS
from delegate_core.runner.slots import Slots
from delegate_core.runner.snapshot import RunningTask, Snapshot
from delegate_core.runner.standing import Facts, Standing, standing
from delegate_core.runner.states import States
from delegate_core.runner.upkeep import Upkeep

__all__ = ["JOURNAL_HOLD", "Lookout"]

JOURNAL_HOLD = "journal"
"""The name under which a journal that takes nothing holds the slots."""


class Lookout:
    """Makes snapshots of a runner from its parts.

    Attributes:
        core: its tasks; None before it runs.
        connection: to its server; None before it runs.
    """

    def __init__(
        self,
        name: str,
        states: States,
        slots: Slots,
        engines: Engines,
        upkeep: Upkeep,
        plugins: Plugins,
        secrecy: Secrecy,
        advice: Advices,
    ) -> None:
        self._name = name
        self._states = states
        self._slots = slots
        self._engines = engines
        self._upkeep = upkeep
        self._plugins = plugins
        self._secrecy = secrecy
        self._advice = advice
        self.core: Core | None = None
        self.connection: Connection | None = None

    def _obstacles(self) -> tuple[str, ...]:
        """What of this machine keeps it from its work: an engine, the journal, its disk, its memory."""
        own = [reason for name, reason in self._slots.holds.items() if name in {JOURNAL_HOLD, *HOST_HOLDS}]
        return (*own, *(f"{name}: {why}" for name, why in self._engines.troubles.items()))

    def _is_ready(self, since_contact: float | None) -> bool:
        """Running, the server has answered lately, and nothing of this machine is in the way."""
        core = self.core
        lately = core is not None and since_contact is not None and since_contact < core.settings.ready_within
        return self._states.current == "running" and lately and not self._obstacles()

    def snapshot(self) -> Snapshot:
        """What it is doing now."""
        now = time.monotonic()
        core, connection = self.core, self.connection
        executions = list(core.executions.values()) if core else []
        counters = core.counters if core else None
        session = connection.session if connection else None
        ages = (connection.last_heartbeat, connection.last_poll, connection.last_contact) if connection else (None,) * 3
        since_heartbeat, since_poll, since_contact = (None if at is None else now - at for at in ages)
        return Snapshot(
            name=self._name,
            state=self._states.current,
            reason=self._states.reason,
            session=session.description if session else "",
            capacity=self._slots.capacity,
            used=self._slots.used,
            uptime=now - self._states.begun,
            since_heartbeat=since_heartbeat,
            since_poll=since_poll,
            since_contact=since_contact,
            ready=self._is_ready(since_contact),
            obstacles=self._obstacles(),
            trouble=connection.trouble if connection else "",
            holds=tuple(self._slots.holds.values()),
            running=tuple(
                RunningTask(
                    id=one.task.id,
                    type=one.task.type,
                    elapsed=None if one.started is None else now - one.started,
                    timeout=one.timeout,
                    last_line=one.last_line,
                    cancelling=one.cause is not None,
                    title=one.task.title,
                    steps=tuple(one.steps.values()),
                )
                for one in executions
            ),
            polls=counters.polls if counters else 0,
            claimed=counters.claimed if counters else 0,
            finished=dict(counters.finished) if counters else {},
            delivered=counters.delivered if counters else 0,
            undeliverable=counters.undeliverable if counters else 0,
            backlog=core.backlog if core else 0,
            abandoned_threads=core.abandoned if core else 0,
            logs_open=core.logs_open if core else 0,
            standing=self._standing(now, since_contact),
            maintenance=self._upkeep.maintenance,
            drain_left=None if self._states.drained_by is None else max(0.0, self._states.drained_by - now),
            problems=tuple(self._plugins.problems),
            advice=tuple(replace(one, text=self._secrecy.text(one.text)) for one in self._advice.all()),
        )

    def _standing(self, now: float, since_contact: float | None) -> Standing:
        core, connection = self.core, self.connection
        session = connection.session if connection else None
        ended = core.last_end if core and core.last_end is not None else self._states.entered
        found = standing(
            Facts(
                state=self._states.current,
                reason=self._states.reason,
                in_state=now - self._states.entered,
                running=len(core.executions) if core else 0,
                used=self._slots.used,
                capacity=self._slots.capacity,
                holds=self._slots.held(),
                trouble=connection.trouble if connection else "",
                refused=connection.refused if connection else False,
                since_contact=since_contact,
                idle=now - max(ended, self._states.entered),
                wanted=session.wanted if session else "",
            )
        )
        return replace(found, reason=self._secrecy.text(found.reason))
