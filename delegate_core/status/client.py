"""Asking a running runner for its status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import quote, urlsplit

import anyio
import httpx
from pydantic import BaseModel, ValidationError

from delegate_core.console.events import LogEvent, TaskFinished
from delegate_core.console.view import Rates, ShownLine, View
from delegate_core.errors import DelegateError
from delegate_core.maintenance import Maintenance
from delegate_core.model import StepReport
from delegate_core.runner.advice import Advice
from delegate_core.runner.snapshot import RunningTask, Snapshot
from delegate_core.runner.standing import Standing
from delegate_core.status.report import SCHEMA_VERSION, RatesPart, StatusReport, StepPart, TaskPart

__all__ = ["Health", "RemoteStatus", "StatusUnavailable", "target"]

_TIMEOUT: Final = 5.0
_PATIENCE: Final = 15.0
"""Seconds for a whole answer, however it drips."""

_LARGEST: Final = 32 * 1024 * 1024
"""Bytes of an answer, decompressed."""

_LONGEST_VERSION: Final = 40
_SHOWN: Final = frozenset({"warning", "error", "critical"})

_TOKEN = "DELEGATE_STATUS_TOKEN"  # noqa: S105 - the variable's name


class _Records(BaseModel):
    records: tuple[LogEvent, ...]


class _Lines(BaseModel):
    lines: tuple[ShownLine, ...]


class StatusUnavailable(DelegateError):
    """The runner does not answer, or not with a status. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a status is served, and what opens it: a token, or a user with a password."""

    url: str
    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)


def target(url: str, environ: Mapping[str, str]) -> Target:
    """From an address as a person gives it: ``http://user:password@host:port``, or with the token in a variable.

    Raises:
        StatusUnavailable: it is no address.
    """
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(whole)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise StatusUnavailable(f"{url.rpartition('@')[2]!r} is no address: write it as http://host:port")
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return Target(bare, environ.get(_TOKEN, ""), parts.username or "", parts.password or "")


@dataclass(frozen=True, slots=True)
class Health:
    """What a runner says of itself: whether it is well, and in words."""

    well: bool
    text: str


class RemoteStatus:
    """A connection to one runner's status server.

    Args:
        where: its address and what opens it.
    """

    def __init__(self, where: Target) -> None:
        self._where = where
        headers = {"Authorization": f"Bearer {where.token}"} if where.token else {}
        auth = (where.user, where.password) if where.password else None
        # A status server is near: no proxy lies between, whatever the environment says of the world outside.
        self._client = httpx.AsyncClient(
            base_url=where.url, headers=headers, auth=auth, timeout=_TIMEOUT, trust_env=False
        )

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first question."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def report(self) -> StatusReport:
        """The runner's state now.

        Raises:
            StatusUnavailable: it does not say.
        """
        content = (await self._get("/status.json")).content
        try:
            report = StatusReport.model_validate_json(content)
        except ValidationError:
            raise self._not_understood(content) from None
        if report.schema_version != SCHEMA_VERSION:
            raise self._not_understood(content)
        return report

    async def warnings(self) -> tuple[LogEvent, ...]:
        """Warnings and errors of its own log, the latest last.

        Raises:
            StatusUnavailable: it does not say.
        """
        content = (await self._get("/log.json")).content
        try:
            records = _Records.model_validate_json(content).records
        except ValidationError:
            raise self._not_understood(content) from None
        return tuple(record for record in records if record.level in _SHOWN)

    async def health(self, page: Literal["healthz", "readyz"]) -> Health:
        """Whether it is alive, or ready to take a task. Everybody may ask.

        Raises:
            StatusUnavailable: it does not say.
        """
        reply = await self._ask(f"/{page}")
        text = reply.text.strip()
        if reply.status_code not in {200, 503} or not reply.headers.get("Content-Type", "").startswith("text/plain"):
            raise self._not_understood(reply.content)
        return Health(reply.status_code == 200, text)

    async def lines(self, task_id: str, start: int) -> tuple[ShownLine, ...] | None:
        """The last lines that a task printed, from this number on; None if the runner knows no such task any more.

        Raises:
            StatusUnavailable: it does not say.
        """
        path = f"/tasks/{quote(task_id, safe='')}/lines"
        reply = await self._get(path, missing=True, start=start)
        if reply.status_code == 404:
            return None
        try:
            return _Lines.model_validate_json(reply.content).lines
        except ValidationError:
            raise self._not_understood(reply.content) from None

    def _not_understood(self, content: bytes) -> StatusUnavailable:
        """Another program's answer, or that of a runner whose version is another."""
        try:
            answer = json.loads(content)
            schema, version = int(answer["schema_version"]), str(answer["runner"]["version"])[:_LONGEST_VERSION]
        except (ValueError, KeyError, TypeError, RecursionError):
            return StatusUnavailable(f"{self._where.url} serves something else than a runner's status")
        return StatusUnavailable(
            f"the runner at {self._where.url} is of version {version} and serves its status in schema {schema}; this "
            f"delegate reads schema {SCHEMA_VERSION}: use the delegate of that version"
        )

    async def _get(self, path: str, *, missing: bool = False, **query: int) -> httpx.Response:
        """An answer of 200, or with ``missing`` also of 404."""
        reply = await self._ask(path, **query)
        if reply.status_code == 401:
            raise StatusUnavailable(
                f"{self._where.url} wants a token or a password: set {_TOKEN}, or write http://user:password@host:port"
            )
        if reply.status_code != 200 and not (missing and reply.status_code == 404):
            raise StatusUnavailable(
                f"{self._where.url} answers {reply.status_code}: is a runner's status served there?"
            )
        return reply

    async def _ask(self, path: str, **query: int) -> httpx.Response:
        try:
            with anyio.fail_after(_PATIENCE):
                async with self._client.stream("GET", path, params=query or None) as reply:
                    content = await self._read(reply)
                    kind = reply.headers.get("Content-Type", "")
                    return httpx.Response(reply.status_code, headers={"Content-Type": kind}, content=content)
        except TimeoutError:
            raise StatusUnavailable(f"{self._where.url} does not answer within {_PATIENCE:.0f} s") from None
        except httpx.HTTPError as error:
            raise StatusUnavailable(
                f"{self._where.url} does not answer: {str(error) or type(error).__name__}"
            ) from None

    async def _read(self, reply: httpx.Response) -> bytes:
        parts, size = [], 0
        async for part in reply.aiter_bytes():
            size += len(part)
            if size > _LARGEST:
                raise StatusUnavailable(
                    f"{self._where.url} answers more than {_LARGEST} bytes: is a runner's status served there?"
                )
            parts.append(part)
        return b"".join(parts)


def view_of(report: StatusReport, warnings: tuple[LogEvent, ...]) -> View:
    """The same as the runner's own console would draw it."""
    return View(
        report.runner.backend,
        _snapshot(report),
        tuple(map(_finished, report.recent)),
        warnings,
        rates=_rates(report.rates),
        elsewhere=True,
    )


def _rates(part: RatesPart | None) -> Rates | None:
    return None if part is None else Rates(**part.model_dump())


def _snapshot(report: StatusReport) -> Snapshot:
    runner, connection, totals = report.runner, report.connection, report.totals
    return Snapshot(
        name=runner.name,
        state=runner.state,
        reason=runner.reason,
        session=runner.session,
        capacity=report.slots.capacity,
        used=report.slots.used,
        uptime=runner.uptime,
        since_heartbeat=connection.since_heartbeat,
        since_poll=connection.since_poll,
        since_contact=connection.since_contact,
        ready=report.ready,
        trouble=connection.trouble,
        holds=report.slots.holds,
        running=tuple(_running(task, report.time) for task in report.running),
        polls=0,
        claimed=totals.claimed,
        finished=totals.finished,
        delivered=totals.delivered,
        undeliverable=totals.undeliverable,
        backlog=totals.backlog,
        abandoned_threads=totals.abandoned_threads,
        logs_open=totals.logs_open,
        maintenance=Maintenance(**report.maintenance.model_dump()) if report.maintenance else None,
        standing=Standing(report.standing.word, report.standing.reason, report.standing.since),
        drain_left=runner.drain_left,
        problems=runner.problems,
        advice=tuple(Advice(one.about, one.text, one.cure) for one in runner.advice),
    )


def _running(task: TaskPart, now: float) -> RunningTask:
    return RunningTask(
        id=task.id,
        type=task.type,
        elapsed=None if task.started is None else max(0.0, now - task.started),
        timeout=task.timeout or 0.0,
        last_line=task.last_line,
        cancelling=task.cancelling,
        title=task.title,
        steps=tuple(map(_step, task.steps)),
    )


def _step(step: StepPart) -> StepReport:
    return StepReport(step.number, step.name, step.status, step.exit_code, step.error, step.started, step.stopped)


def _finished(task: TaskPart) -> TaskFinished:
    ended = task.finished or 0.0
    began = task.started or ended
    return TaskFinished(ended, task.id, task.type, task.outcome, ended - began, task.error, task.cause, task.title)
