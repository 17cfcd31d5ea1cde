"""The calls of a delegate about itself: registration, heartbeat, capacity, leaving."""

from __future__ import annotations

import base64
from http import HTTPStatus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from . import wire
from .endpoint import Surroundings
from .exchange import JsonReply, RefusalError, parse, required, void
from .logtokens import LogTokens
from .state import Directive, ManagerState

__all__ = ["routes"]

_BASE = "/api/agent/delegates"


def routes(around: Surroundings, log_tokens: LogTokens) -> list[BaseRoute]:
    """The routes of this group."""
    calls = _AgentCalls(around.state, log_tokens)
    return [
        around.route("heartbeat", "POST", f"{_BASE}/heartbeat-with-polling", calls.heartbeat),
        around.route("register", "POST", f"{_BASE}/register", calls.register),
        around.route("unregister", "POST", f"{_BASE}/unregister", calls.unregister),
        around.route("capacity", "POST", f"{_BASE}/register-delegate-capacity/{{delegate_id}}", calls.capacity),
        around.route(
            "connection-heartbeat",
            "POST",
            f"{_BASE}/connectionHeartbeat/{{delegate_id}}",
            calls.connection_heartbeat,
        ),
        around.route("logging-token", "GET", f"{_BASE}/logging-token", calls.logging_token),
        around.route("configuration", "GET", f"{_BASE}/configuration", calls.configuration),
    ]


class _AgentCalls:
    def __init__(self, state: ManagerState, log_tokens: LogTokens) -> None:
        self._state = state
        self._log_tokens = log_tokens

    async def register(self, request: Request) -> Response:
        registration = await parse(request, wire.Registration)
        answer = self._state.register(required(request, "accountId"), registration)
        if isinstance(answer, Directive):
            return JsonReply(wire.wrapped(wire.directive(answer.action, answer.url)))
        return JsonReply(wire.wrapped(wire.registered(answer, registration)))

    async def heartbeat(self, request: Request) -> Response:
        account_id = required(request, "accountId")
        heartbeat = await parse(request, wire.Registration)
        delegate_id = heartbeat.delegate_id or ""
        self._compare_connections(account_id, delegate_id, heartbeat.delegate_connection_id)
        status = self._state.heartbeat(account_id, delegate_id)
        return JsonReply(wire.wrapped(wire.heartbeat_reply(status, heartbeat)))

    async def unregister(self, request: Request) -> Response:
        body = await parse(request, wire.Unregistration)
        self._state.unregister(required(request, "accountId"), body)
        return JsonReply(wire.wrapped(None))

    async def capacity(self, request: Request) -> Response:
        body = await parse(request, wire.Capacity)
        delegate_id = request.path_params["delegate_id"]
        self._state.set_capacity(required(request, "accountId"), delegate_id, body.maximum_number_of_builds)
        return void()

    async def connection_heartbeat(self, _request: Request) -> Response:
        return void()

    async def logging_token(self, request: Request) -> Response:
        return JsonReply(wire.wrapped(self._log_tokens.issue(required(request, "accountId"))))

    async def configuration(self, request: Request) -> Response:
        account = self._state.accounts.get(required(request, "accountId"))
        action = "SELF_DESTRUCT" if account is not None and account.deleted else None
        return JsonReply(wire.wrapped({"delegateVersions": [], "action": action}))

    def _compare_connections(self, account_id: str, delegate_id: str, connection_id: str | None) -> None:
        """Fail as the manager's comparison does where one side is no time-based UUID."""
        delegate = self._state.delegate(account_id, delegate_id)
        stored = None if delegate is None else delegate.connection_id
        if (stored, connection_id) == (None, None):
            return
        if not (_time_based(stored or connection_id) and _time_based(connection_id)):
            message = "delegateConnectionId cannot be compared"
            raise RefusalError(HTTPStatus.INTERNAL_SERVER_ERROR, "DEFAULT_ERROR_CODE", message)


def _time_based(connection_id: str | None) -> bool:
    """Whether this is the base64 of a version 1 UUID."""
    try:
        raw = base64.urlsafe_b64decode(f"{connection_id or ''}==")
        return UUID(bytes=raw).version == 1
    except ValueError:
        return False
