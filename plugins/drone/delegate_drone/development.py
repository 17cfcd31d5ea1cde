"""The embedded Drone server behind the development commands.

A task is a stage here, and its id the stage's. Cancelling one cancels its whole build, as a user of Drone does.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from delegate_core.development import Example, ServerTask, SubmissionError
from delegate_core.errors import SettingsError
from delegate_core.model import JsonValue, Outcome
from delegate_drone.server import (
    Cancels,
    EmbeddedDrone,
    Fault,
    Keys,
    NoRowError,
    Rules,
    SkippedError,
    Stage,
    parse_faults,
)
from delegate_drone.server.examples import EXAMPLES
from delegate_drone.server.queue import reason
from delegate_drone.server.stagelog import StageLog, stored_lines
from delegate_drone.server.submission import read_order
from delegate_drone.server.tasktext import write_task

__all__ = ["DroneDevelopmentServer"]

_OPTIONS = ("folder", "secret", "token", "long_poll", "cancels")
_FAULT = "fault."
_STEPPED = frozenset({"docker", "exec"})
"""Types whose log is their steps' output, and no result."""


@dataclass(frozen=True, slots=True)
class _Options:
    """What ``--option`` sets."""

    folder: Path | None = None
    keys: Keys = field(default_factory=Keys)
    rules: Rules = field(default_factory=Rules)
    faults: tuple[Fault, ...] = ()


class DroneDevelopmentServer:
    """An embedded Drone server with random keys.

    Args:
        options: ``folder`` keeps its database beyond its end, ``secret`` and ``token`` fix the runners' secret and the
            user's token, ``long_poll`` is the seconds that a request waits, ``cancels`` is memory or redis, and
            ``fault.CALL`` orders faults: see `delegate_drone.server.parse_faults`.

    Raises:
        SettingsError: an option is unknown or wrong.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = _read(options)
        self._running: EmbeddedDrone | None = None

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[str]:
        """Serve on loopback."""
        given = self._options
        async with EmbeddedDrone(given.folder, rules=given.rules, keys=given.keys, port=port) as drone:
            drone.parts.faults.add(*given.faults)
            self._running = drone
            try:
                yield drone.url
            finally:
                self._running = None

    @property
    def drone(self) -> EmbeddedDrone:
        """The server, while it is served."""
        if self._running is None:
            raise RuntimeError("the embedded server is not running")
        return self._running

    def backend_settings(self) -> Mapping[str, Any]:
        """Where to connect, and the secret of runners."""
        return {"server": self.drone.url, "secret": self.drone.keys.rpc}

    def environment(self) -> Mapping[str, str]:
        """The variables that every Drone runner knows."""
        address = urlsplit(self.drone.url)
        return {
            "DRONE_RPC_PROTO": address.scheme,
            "DRONE_RPC_HOST": address.netloc,
            "DRONE_RPC_SECRET": self.drone.keys.rpc,
        }

    # ------------------------------------------------------------------ submitting

    def task_text(self, task_type: str, data: JsonValue, timeout: float) -> str:
        """A manifest of one pipeline."""
        return write_task(task_type, data, timeout)

    def examples(self) -> Sequence[Example]:
        """Pipelines with steps."""
        return EXAMPLES

    def submit(self, text: str, options: Mapping[str, str]) -> list[str]:
        """Make a build of a manifest; the ids of its stages. The options are those of `submission.OPTIONS`."""
        try:
            build = self.drone.create(read_order(text, options, self.drone.pulls))
        except SkippedError as error:
            raise SubmissionError(str(error)) from None
        return [str(stage.id) for stage in self.drone.stages_of(build.id)]

    def cancel(self, task_id: str) -> bool:
        """Cancel the stage's build, with all of its stages; False if it has ended.

        Raises:
            KeyError: there is no such stage.
        """
        return self.drone.cancel(self._stage(task_id).build_id)

    # ------------------------------------------------------------------ looking

    def tasks(self) -> list[ServerTask]:
        """All stages, oldest first."""
        return [self._shown(stage) for stage in self.drone.parts.store.stages.select()]

    def task(self, task_id: str) -> ServerTask:
        """One of them."""
        return self._shown(self._stage(task_id))

    async def finished(self, task_id: str) -> ServerTask:
        """Wait for its end."""
        stage = self._stage(task_id)
        await self.drone.wait_finished(stage.id, timeout=float("inf"))
        return self.task(task_id)

    async def log(self, task_id: str, *, follow: bool) -> AsyncIterator[str]:
        """The stage's steps in order, each line after its step's name where there are several."""
        async for line in StageLog(self.drone.parts, self._stage(task_id).id).lines(follow=follow):
            yield line

    def _stage(self, task_id: str) -> Stage:
        if not task_id.isascii() or not task_id.isdigit() or len(task_id) > 18:
            raise KeyError(task_id)
        try:
            return self.drone.stage(int(task_id))
        except NoRowError:
            raise KeyError(task_id) from None

    def _shown(self, stage: Stage) -> ServerTask:
        outcome = _outcome(stage) if stage.done else None
        return ServerTask(
            id=str(stage.id),
            type=stage.type,
            status=stage.status,
            waiting=self._waiting(stage),
            outcome=str(outcome) if outcome else "",
            error="" if outcome is Outcome.SUCCEEDED else self._error(stage),
            data=self._result(stage) if outcome else None,
        )

    def _waiting(self, stage: Stage) -> str:
        if stage.status == "waiting_on_dependencies":
            return f"waits for {', '.join(stage.depends_on)}"
        if stage.status != "pending" or stage.machine:
            return ""
        return reason(stage, self.drone.parts.queue, self.drone.parts.store.incomplete())

    def _error(self, stage: Stage) -> str:
        """The stage's own text, else what its steps came to."""
        if stage.status == "skipped" and stage.depends_on and not stage.error:
            return f"skipped: {', '.join(stage.depends_on)} did not end as its trigger wants"
        steps = stage.steps or self.drone.parts.store.steps_of(stage.id)
        failed = (step for step in steps if step.status in {"failure", "error"} and not step.errignore)
        return stage.error or ", ".join(
            f"step {step.name}: {step.error or f'exit {step.exit_code}'}" for step in failed
        )

    def _result(self, stage: Stage) -> JsonValue:
        """What a stage of a handler's type printed last, if that is JSON."""
        steps = self.drone.parts.store.steps_of(stage.id) if stage.type not in _STEPPED else []
        stored = self.drone.parts.store.logs.find(steps[-1].id) if steps else None
        lines = stored_lines(stored)
        try:
            found: JsonValue = json.loads(lines[-1].out) if lines else None
        except (ValueError, RecursionError):
            return None
        return found


def _outcome(stage: Stage) -> Outcome:
    """What a done stage came to, in the words of the core."""
    if stage.status == "success":
        return Outcome.SUCCEEDED
    if stage.status == "killed" and stage.error.startswith("timed out"):
        return Outcome.TIMED_OUT
    if stage.status in {"killed", "skipped", "declined"}:
        return Outcome.CANCELLED
    return Outcome.REJECTED if stage.error.startswith("rejected") else Outcome.FAILED


def _read(options: Mapping[str, str]) -> _Options:
    if unknown := [name for name in options if name not in _OPTIONS and not name.startswith(_FAULT)]:
        known = ", ".join((*_OPTIONS, f"{_FAULT}CALL"))
        raise SettingsError(f"unknown option {', '.join(unknown)}; the embedded server has {known}")
    fresh = Keys()
    return _Options(
        folder=Path(options["folder"]).expanduser() if "folder" in options else None,
        keys=Keys(options.get("secret") or fresh.rpc, options.get("token") or fresh.user),
        rules=Rules(long_poll=_seconds(options.get("long_poll", "30")), cancels=_cancels(options.get("cancels"))),
        faults=tuple(fault for name, text in options.items() for fault in _faults(name, text)),
    )


def _seconds(given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise SettingsError(f"option long_poll: {given!r} is no number of seconds up to 3600")
    return seconds


def _cancels(given: str | None) -> Cancels:
    try:
        return Cancels(given or Cancels.MEMORY)
    except ValueError:
        raise SettingsError(f"option cancels is {' or '.join(Cancels)}, not {given!r}") from None


def _faults(name: str, text: str) -> list[Fault]:
    if not name.startswith(_FAULT):
        return []
    try:
        return parse_faults(name.removeprefix(_FAULT), text)
    except ValueError as error:
        raise SettingsError(f"option {name}: {error}") from None
