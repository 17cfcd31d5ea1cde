"""The two control planes as the reliability tests see them: submit a task, name a call, tell how a task ended."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import anyio
import yaml

from delegate_core.testing.proxy import Request
from delegate_drone.server import EmbeddedDrone, Order
from delegate_drone.server import Rules as DroneRules
from delegate_drone.server.stagelog import stored_lines
from delegate_harness.manager import EmbeddedManager, Submission, TaskStatus
from delegate_harness.manager import Rules as HarnessRules
from delegate_harness.manager import Verdict as ManagerVerdict

SIDES = ("harness", "drone")

PATIENCE = 60.0
"""Seconds in which anything happens, also on a machine with other work; what is well takes a hundredth of that."""

_LOG_PATIENCE = 15.0
"""Seconds for a log behind the result of a task that has run."""


@dataclass(frozen=True)
class End:
    """How the server thinks that a task ended.

    Attributes:
        succeeded: its commands did.
        error: what the server shows for it.
        finals: how many final reports took effect.
        complaints: what else the server has against the runner.
        logs: the stored logs, by step; a missing one is not stored.
    """

    succeeded: bool
    error: str
    finals: int
    complaints: tuple[str, ...]
    logs: Mapping[str, str]


class Side(Protocol):
    """One control plane, served by an embedded server."""

    name: str
    calls: tuple[str, ...]
    """The calls of a task's life, in its order."""
    session_calls: tuple[str, ...]
    """The calls that belong to no task."""

    @property
    def url(self) -> str:
        """Where the server is."""

    @property
    def secret(self) -> str:
        """What a runner proves itself by."""

    def settings(self, url: str) -> Mapping[str, str]:
        """Variables with which a runner reaches the server at an address."""

    def submit(self, commands: list[str], *, masks: tuple[str, ...] = (), timeout: float = 60.0) -> str:
        """Queue a task that runs shell commands; its id."""

    def cancel(self, task_id: str) -> None:
        """Cancel a task as a user does."""

    def call(self, request: Request) -> str:
        """The name of a call; empty for what is none."""

    def task_of(self, request: Request) -> str:
        """The id of the task that a call is about; empty where it is about none."""

    def is_ended(self, task_id: str) -> bool:
        """Whether the server waits for nothing more."""

    def is_claimed(self, task_id: str) -> bool:
        """Whether a runner has it, or had."""

    async def ended(self, task_id: str, timeout: float = PATIENCE) -> End:  # noqa: ASYNC109 - reads best as an argument
        """Wait for a task's end.

        Raises:
            TimeoutError: it does not end.
        """

    async def wait_for(self, condition: Callable[[], object], timeout: float = PATIENCE) -> None:  # noqa: ASYNC109 - the same
        """Wait until a condition holds; it is asked again whenever the server has changed."""


class HarnessSide:
    """The manager, and the built-in ``script`` handler."""

    name = "harness"
    calls: tuple[str, ...] = ("acquire", "stream-open", "stream-write", "result", "blob", "stream-close")
    session_calls: tuple[str, ...] = ("register", "capacity", "heartbeat", "task-events", "unregister")

    def __init__(self, manager: EmbeddedManager) -> None:
        self.manager = manager

    @property
    def url(self) -> str:
        return self.manager.url

    @property
    def secret(self) -> str:
        return self.manager.account_secret

    def settings(self, url: str) -> Mapping[str, str]:
        return {
            "DELEGATE_BACKEND": "harness",
            "DELEGATE_ENDPOINT": url,
            "DELEGATE_ACCOUNT_ID": self.manager.account_id,
            "DELEGATE_ACCOUNT_SECRET": self.secret,
            "DELEGATE_LOG_URL": f"{url}/log-service",
            "DELEGATE_POLL_INTERVAL": "50ms",
            "DELEGATE_HEARTBEAT_INTERVAL": "300ms",
        }

    def submit(self, commands: list[str], *, masks: tuple[str, ...] = (), timeout: float = 60.0) -> str:
        return self.manager.submit(
            Submission(
                "script",
                {"commands": commands},
                timeout_ms=int(timeout * 1000),
                secrets=masks,
                abstractions={"log": uuid.uuid4().hex},
            )
        )

    def cancel(self, task_id: str) -> None:
        self.manager.abort(task_id)

    def call(self, request: Request) -> str:
        path = request.path
        if path.startswith("/log-service/"):
            return _log_call(request.method, path)
        for word, name in _HARNESS_PATHS:
            if word in path:
                return name
        return ""

    def task_of(self, request: Request) -> str:
        parts = request.path.split("/")
        if "tasks" in parts:
            return parts[parts.index("tasks") + 1]
        if "executions" in parts:
            return parts[parts.index("executions") + 1]
        if "log-service" in parts:
            keys = {task.log_key: task.task_id for task in self.manager.state.tasks()}
            return next((task_id for key, task_id in keys.items() if key.partition(":")[2] in request.target), "")
        return ""

    def is_ended(self, task_id: str) -> bool:
        return self.manager.task(task_id).finished

    def is_claimed(self, task_id: str) -> bool:
        return self.manager.task(task_id).status is not TaskStatus.QUEUED

    async def ended(self, task_id: str, timeout: float = PATIENCE) -> End:  # noqa: ASYNC109 - as the protocol says
        task = await self.manager.wait_finished(task_id, timeout)
        outcome = task.outcome
        assert outcome is not None
        complaints = [event.kind for kind in ("unclaimed", "conflict", "late") for event in task.events(kind)]
        try:
            logs = {"": self.manager.logs.blob(self.manager.account_id, task.log_key).decode()}
        except KeyError:
            logs = {}
        return End(
            outcome.verdict is ManagerVerdict.SUCCEEDED,
            outcome.message,
            1 if outcome.result or outcome.verdict is ManagerVerdict.ABORTED else 0,
            tuple(complaints),
            logs,
        )

    async def wait_for(self, condition: Callable[[], object], timeout: float = PATIENCE) -> None:  # noqa: ASYNC109 - the same
        await self.manager.wait_for(lambda _: bool(condition()), timeout)


_HARNESS_PATHS = (
    ("/delegates/register-delegate-capacity", "capacity"),
    ("/delegates/register", "register"),
    ("/delegates/unregister", "unregister"),
    ("/delegates/heartbeat", "heartbeat"),
    ("/delegates/logging-token", "logging-token"),
    ("/task-events", "task-events"),
    ("/acquire", "acquire"),
    ("/v2/tasks/", "result"),
    ("/executions/", "result"),
)


def _log_call(method: str, path: str) -> str:
    if path.endswith("/stream"):
        return {"POST": "stream-open", "PUT": "stream-write", "DELETE": "stream-close"}.get(method, "")
    return "blob"


class DroneSide:
    """The Drone server, and exec pipelines of two steps, the second of which says nothing but its end."""

    name = "drone"
    calls: tuple[str, ...] = (
        "accept",
        "details",
        "stage-start",
        "step-start",
        "batch",
        "upload",
        "card",
        "step-end",
        "stage-end",
    )
    session_calls: tuple[str, ...] = ("ping", "request", "watch")

    def __init__(self, drone: EmbeddedDrone) -> None:
        self.drone = drone

    @property
    def url(self) -> str:
        return self.drone.url

    @property
    def secret(self) -> str:
        return self.drone.keys.rpc

    def settings(self, url: str) -> Mapping[str, str]:
        return {
            "DELEGATE_BACKEND": "drone",
            "DELEGATE_SERVER": url,
            "DELEGATE_SECRET": self.secret,
        }

    def submit(self, commands: list[str], *, masks: tuple[str, ...] = (), timeout: float = 60.0) -> str:
        names = [f"secret{number}" for number, _ in enumerate(masks)]
        steps = [
            {
                "name": "work",
                "commands": [*commands, _CARD],
                "environment": {name.upper(): {"from_secret": name} for name in names},
            },
            {"name": "after", "commands": ["echo over"]},
        ]
        pipeline = {
            "kind": "pipeline",
            "type": "exec",
            "name": "matrix",
            "clone": {"disable": True},
            "steps": steps,
        }
        text = yaml.safe_dump(pipeline).replace("$", "$$")
        build = self.drone.create(Order(text=text, secrets=dict(zip(names, masks, strict=True))))
        (stage,) = self.drone.stages_of(build.id)
        return str(stage.id)

    def cancel(self, task_id: str) -> None:
        self.drone.cancel(self.drone.stage(int(task_id)).build_id)

    def call(self, request: Request) -> str:
        parts = request.path.removeprefix("/rpc/v2/").split("/")
        kind, rest = parts[0], parts[2:]
        if kind == "stage":
            return _stage_call(request, len(parts))
        if kind == "step":
            return {"batch": "batch", "upload": "upload", "card": "card"}.get(
                (rest or [""])[-1], _ended(request, "step")
            )
        return "watch" if kind == "build" else kind

    def task_of(self, request: Request) -> str:
        parts = request.path.removeprefix("/rpc/v2/").split("/")
        if len(parts) < 2:
            return ""
        if parts[0] == "stage":
            return parts[1]
        if parts[0] == "step":
            step = int(parts[1])
            stages = self.drone.parts.store.stages.select()
            return next((str(each.id) for each in stages if step in self._steps(each.id)), "")
        return ""

    def _steps(self, stage_id: int) -> list[int]:
        return [step.id for step in self.drone.parts.store.steps_of(stage_id)]

    def is_ended(self, task_id: str) -> bool:
        return self.drone.stage(int(task_id)).done

    def is_claimed(self, task_id: str) -> bool:
        return bool(self.drone.stage(int(task_id)).machine)

    async def ended(self, task_id: str, timeout: float = PATIENCE) -> End:  # noqa: ASYNC109 - as the protocol says
        stage = await self.drone.wait_finished(int(task_id), timeout)
        finals = self.drone.parts.finals[stage.id]
        # A build that a user cancels is ended by the server: nobody reports it any more.
        cancelled = self.drone.build(stage.build_id).status == "killed" and finals == 0
        open_steps = [f"step {step.name} is {step.status}" for step in stage.steps if not step.done]
        stored = {step.name: self.drone.parts.store.logs.find(step.id) for step in stage.steps}
        return End(
            stage.status == "success",
            stage.error or next((step.error for step in stage.steps if step.error), ""),
            1 if cancelled else finals,
            tuple(open_steps),
            {name: "".join(line.out for line in stored_lines(log)) for name, log in stored.items() if log is not None},
        )

    async def wait_for(self, condition: Callable[[], object], timeout: float = PATIENCE) -> None:  # noqa: ASYNC109 - the same
        await self.drone.wait_for(lambda _: condition(), timeout)


_CARD = r"""printf '\033]1338;%s\033]0m\n' "$(printf '{"schema":"https://cards/1","data":{"n":1}}' | base64 -w 0)" """


def _stage_call(request: Request, parts: int) -> str:
    if parts == 1:
        return "request"
    return {"POST": "accept", "GET": "details"}.get(request.method, _ended(request, "stage"))


def _ended(request: Request, what: str) -> str:
    said = request.json()
    status = said.get("status", "") if isinstance(said, dict) else ""
    return f"{what}-start" if status in {"pending", "running"} else f"{what}-end"


@asynccontextmanager
async def opened(name: str, *, clock: Callable[[], float] = time.time) -> AsyncIterator[Side]:
    """A side with its server running."""
    if name == "harness":
        rules = HarnessRules(rounds=None, tick_seconds=0.1, keep_finished=100_000)
        async with EmbeddedManager(rules=rules, clock=clock) as manager:
            yield HarnessSide(manager)
    else:
        async with EmbeddedDrone(rules=DroneRules(long_poll=1.0, match_every=0.2), clock=clock) as drone:
            yield DroneSide(drone)


async def with_log(side: Side, task_id: str, has_run: Callable[[], object] = lambda: True) -> End:
    """A task's end; where no log is stored, one that was waited for: it may come behind the result.

    What has not run, as ``has_run`` says at its end, has no log.
    """
    end = await side.ended(task_id)
    if has_run():
        with anyio.move_on_after(_LOG_PATIENCE):
            while not end.logs:
                await anyio.sleep(0.05)  # the two stores have no news in common
                end = await side.ended(task_id)
    return end
