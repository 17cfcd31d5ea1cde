"""Requests to the servers of ours: the status, the orders, and the embedded control planes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Final

from pydantic import ValidationError
from starlette.types import ASGIApp

from delegate_core.control.wire import Answer, Order
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings
from delegate_core.status import Access, Activity, Meter, Metrics, Source
from delegate_core.status.application import application
from delegate_drone.server.api import user_interface
from delegate_drone.server.parts import Keys, Parts
from delegate_drone.server.rpc import RunnerCalls
from delegate_drone.server.rules import Rules
from delegate_harness.auth import MadeTokens
from delegate_harness.manager.app import Parts as ManagerParts
from delegate_harness.manager.app import build_app
from delegate_harness.manager.state import ManagerState
from tests.core.memory_backend import MemoryServer
from tests.fuzz.registry import fields, target
from tests.fuzz.words import JSON

_LOOP: Final = asyncio.new_event_loop()
_KEY: Final = "0123456789abcdef" * 2
_PATIENCE: Final = 0.2
"""Seconds after which a call that waits, as a long poll does, is given up."""

_WORDS: Final = (*JSON, "9" * 30, "?token=", "%2e%2e", "%00", "POST ", "GET ", "PUT ", "DELETE ")


class _Failures(logging.Handler):
    """Defects that a server has answered with a 500, and written to its log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


def _answered(app: ASGIApp, data: bytes, headers: Mapping[str, str]) -> int:
    """The status that an application answers, 0 if it does not within its time."""
    first, body = fields(data, 2)
    method, _, path = first.decode("latin-1").partition(" ")
    route, _, query = path.partition("?")
    status = 0
    sent = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method.upper() or "GET",
        "scheme": "http",
        "path": route or "/",
        "raw_path": route.encode("latin-1"),
        "root_path": "",
        # h11 refuses a target with anything else before an application sees it.
        "query_string": bytes(sign for sign in query.encode("latin-1") if 0x20 < sign < 0x7F),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }

    async def call() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await app(scope, receive, send)

    _LOOP.run_until_complete(call())
    return status


@cache
def _status() -> tuple[ASGIApp, str]:
    server = MemoryServer()
    activity, metrics = Activity(), Metrics("memory", lambda: None)
    runner = Runner(
        server.backend(), {}, settings=RunnerSettings(name="n"), state_dir=Path(mkdtemp(prefix="delegate-fuzz-"))
    )
    access = Access()
    source = Source(runner=runner, activity=activity, meter=Meter(), metrics=metrics, access=access)
    return application(source), access.token


@target(
    "status-request",
    words=(
        *_WORDS,
        "/tasks/",
        "/log",
        "/lines",
        "/events",
        "/cancel",
        "/pause",
        "/drain",
        "/maintenance/on",
        '{"for": ',
        '"message": ',
        "/status.json",
        "/healthz",
        "reason",
    ),
    calls=4000,
)
def status(data: bytes) -> None:
    """Nobody gets more than health without the token, and nothing said with it breaks the server."""
    app, token = _status()
    refused = _answered(app, data, {"content-type": "application/json"})
    assert refused in {401, 404, 405, 503} or b"/healthz" in data or b"/readyz" in data, refused
    given = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    assert _answered(app, data, given) not in {0, 500}


@target("order", words=(*_WORDS, "do", "ids", "pause", "retry", "said", "error"))
def order(data: bytes) -> None:
    """A line is an order or none, an answer or none; what is read is written as it was."""
    for model in (Order, Answer):
        try:
            read = model.model_validate_json(data)
        except ValidationError:
            continue
        assert model.model_validate_json(read.model_dump_json()) == read


@target(
    "manager-request",
    words=(
        *_WORDS,
        "/api/agent/delegates/register",
        "/api/agent/v2/tasks/",
        "/log-service/stream",
        "accountId=account",
        "/acquire",
        "timeout_seconds=",
    ),
    calls=6000,
)
def manager(data: bytes) -> None:
    """The embedded manager answers any request of a delegate without a defect of its own."""
    state = ManagerState(None, clock=time.time)
    state.accounts.add("account", _KEY)
    parts = ManagerParts.around(state)
    headers = {
        "authorization": MadeTokens("account", _KEY).header(),
        "x-harness-token": parts.log_tokens.issue("account"),
        "content-type": "application/json",
    }
    _without_defects(build_app(parts), data, headers)


@target(
    "drone-request",
    words=(
        *_WORDS,
        "/rpc/v2/stage",
        "/rpc/v2/step/1",
        "/logs/batch",
        "/card",
        "/api/repos/a/b/builds",
        "/api/queue",
        "/watch",
        "version",
    ),
    calls=6000,
)
def drone(data: bytes) -> None:
    """The embedded Drone server answers any request of a runner or user without a defect of its own."""
    with TemporaryDirectory() as folder:
        parts = Parts.around(Path(folder, "db"), Rules(), Keys("rpc", "user"))
        headers = {"x-drone-token": "rpc", "authorization": "Bearer user", "content-type": "application/json"}
        rpc = data.startswith((b"POST /rpc", b"PUT /rpc", b"GET /rpc", b"DELETE /rpc"))
        try:
            _without_defects(
                RunnerCalls(parts, lambda: "http://drone") if rpc else user_interface(parts), data, headers
            )
        finally:
            parts.store.close()


def _without_defects(app: ASGIApp, data: bytes, headers: Mapping[str, str]) -> None:
    failures = _Failures()
    loggers = [logging.getLogger(name) for name in ("delegate_harness.manager.endpoint", "delegate_drone.server.rpc")]
    for logger in loggers:
        logger.addHandler(failures)
        logger.propagate = False
    try:
        _answered(app, data, headers)
    finally:
        for logger in loggers:
            logger.removeHandler(failures)
            logger.propagate = True
    for record in failures.seen:
        assert record.exc_info is not None
        raise record.exc_info[1] or AssertionError(record.getMessage())


def request(method: str, path: str, body: object = None) -> bytes:
    """An input of these targets."""
    return b"\n~~~\n".join([f"{method} {path}".encode(), b"" if body is None else json.dumps(body).encode()])
