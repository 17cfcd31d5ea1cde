"""Typed calls to a manager, and what its refusals mean."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from delegate_core.errors import CredentialsError, Drain, Retry, SettingsError, Stop
from delegate_core.http import Reply, Transport
from delegate_harness.auth import Tokens
from delegate_harness.wire import AcquiredTask, ErrorReply, HeartbeatReply, RegisterReply, TaskEvents

__all__ = ["ManagerClient", "ManagerFault", "parse_endpoint"]

M = TypeVar("M", bound=BaseModel)

_log = logging.getLogger(__name__)

_NOT_AVAILABLE = frozenset({204, 404, 409, 500})
_NOT_NOW = frozenset({429, 502, 503, 504})

TIMEOUT = 30.0
HEARTBEAT_TIMEOUT = 15.0


class ManagerFault(Exception):
    """The manager, or something before it, answered with an error that may pass."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def parse_endpoint(endpoint: str) -> str:
    """The address without what people paste along with it.

    Raises:
        SettingsError: it is no http or https address.
    """
    parts = urlsplit(endpoint.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(
            f"endpoint {endpoint!r} is no address; write it with its scheme, such as https://manager.example:3457"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api')}"


class ManagerClient:
    """One account's calls to one manager.

    Every call carries the account id as a query and the token as a header, and has a timeout. Errors: `Stop` or
    `Drain` where the token is refused for good, `Retry` or `ManagerFault` for what may pass, and what the transport
    raises.
    """

    def __init__(self, transport: Transport, base: str, account_id: str, tokens: Tokens) -> None:
        self.base = base
        self.account_id = account_id
        self.transport = transport
        self._tokens = tokens
        self._account = urlencode({"accountId": account_id})

    def at(self, base: str) -> ManagerClient:
        """The same account's calls to another address."""
        return ManagerClient(self.transport, base, self.account_id, self._tokens)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.transport.aclose()

    # ------------------------------------------------------------------ the delegate

    async def register(self, body: Mapping[str, Any]) -> RegisterReply:
        """POST register."""
        reply = await self._call("POST", "/api/agent/delegates/register", body=body)
        return self._parse(RegisterReply, reply, "register")

    async def heartbeat(self, body: Mapping[str, Any]) -> HeartbeatReply:
        """POST heartbeat-with-polling."""
        path = "/api/agent/delegates/heartbeat-with-polling"
        reply = await self._call("POST", path, body=body, timeout=HEARTBEAT_TIMEOUT)
        return self._parse(HeartbeatReply, reply, "heartbeat")

    async def unregister(self, body: Mapping[str, Any]) -> None:
        """POST unregister."""
        await self._call("POST", "/api/agent/delegates/unregister", body=body, timeout=HEARTBEAT_TIMEOUT)

    async def register_capacity(self, delegate_id: str, capacity: int) -> None:
        """POST register-delegate-capacity."""
        path = f"/api/agent/delegates/register-delegate-capacity/{_part(delegate_id)}"
        await self._call("POST", path, body={"maximumNumberOfBuilds": capacity})

    # ------------------------------------------------------------------ tasks

    async def task_events(self, delegate_id: str) -> TaskEvents:
        """GET task-events: what is to be had, and aborts, each of which is listed once only."""
        reply = await self._call("GET", f"/api/agent/delegates/{_part(delegate_id)}/task-events")
        return self._parse(TaskEvents, reply, "task-events")

    async def acquire(self, delegate_id: str, task_id: str, instance_id: str) -> AcquiredTask | None:
        """PUT acquire. None: not to be had. The manager says that with a 500 and a generic body."""
        path = f"/api/agent/v2/delegates/{_part(delegate_id)}/tasks/{_part(task_id)}/acquire"
        query = f"&delegateInstanceId={quote(instance_id, safe='')}"
        reply = await self._call("PUT", path, query=query, accepted=_NOT_AVAILABLE)
        if reply.status in _NOT_AVAILABLE or not reply.body.strip():
            return None
        acquired = self._parse(AcquiredTask, reply, "acquire")
        return acquired if acquired.id else None

    async def respond(self, delegate_id: str, task_id: str, body: Mapping[str, Any]) -> None:
        """POST a result in the legacy form."""
        path = f"/api/agent/v2/tasks/{_part(task_id)}/delegates/{_part(delegate_id)}"
        await self._call("POST", path, body=body)

    async def respond_as_runner(self, delegate_id: str, task_id: str, body: Mapping[str, Any]) -> None:
        """POST a result in the runner's form, for tasks that say ``runnerResponse``."""
        query = f"&delegateId={quote(delegate_id, safe='')}"
        await self._call("POST", f"/api/executions/{_part(task_id)}/response", query=query, body=body)

    async def respond_v2(self, runner_id: str, task_id: str, body: Mapping[str, Any]) -> None:
        """POST a status of a step, in the runner's form, for another task id than the one that asked for it."""
        query = f"&runnerId={quote(runner_id, safe='')}"
        await self._call("POST", f"/api/executions/{_part(task_id)}/task-response", query=query, body=body)

    async def logging_token(self) -> str:
        """GET a token for the log service; empty if the manager gives none."""
        reply = await self._call("GET", "/api/agent/delegates/logging-token", accepted=frozenset({204, 404}))
        if reply.status != 200 or not reply.body.strip():
            return ""
        found = reply.json()
        token = found.get("resource") if isinstance(found, dict) else found
        return token if isinstance(token, str) else ""

    # ------------------------------------------------------------------ one call

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: Mapping[str, Any] | None = None,
        accepted: frozenset[int] = frozenset(),
        timeout: float = TIMEOUT,  # noqa: ASYNC109 - the transport bounds it
    ) -> Reply:
        url = f"{self.base}{path}?{self._account}{query}"
        content = None if body is None else to_json(body, inf_nan_mode="strings")
        reply = await self._send(method, url, content, timeout)
        if reply.status == 401 and "EXPIRED_TOKEN" in _codes(reply) and self._tokens.renew():
            reply = await self._send(method, url, content, timeout)
        if 200 <= reply.status < 300 or reply.status in accepted:
            return reply
        raise self._refusal(path, reply)

    async def _send(self, method: str, url: str, content: bytes | None, timeout: float) -> Reply:  # noqa: ASYNC109
        headers = {"Authorization": self._tokens.header(), "Content-Type": "application/json"}
        return await self.transport.request(method, url, headers=headers, body=content, timeout=timeout)

    def _refusal(self, path: str, reply: Reply) -> Exception:
        where = f"{self.base}{path}"
        if reply.status == 401:
            return self._refused_token(where, _codes(reply))
        messages = "; ".join(message.message for message in _messages(reply) if message.message)
        text = f"{where} answered {reply.status}{': ' + messages if messages else _kind(reply)}"
        if reply.status in _NOT_NOW:
            return Retry(text, _retry_after(reply))
        return ManagerFault(text, reply.status)

    def _refused_token(self, where: str, codes: set[str]) -> Exception:
        account = f"account {self.account_id}"
        if codes & {"INVALID_TOKEN", "INVALID_AGENT_MTLS_AUTHORITY"}:
            text = f"{where} refused the token of {account}: check the account id and the account secret"
            return Stop(text, CredentialsError(text))
        if "REVOKED_TOKEN" in codes:
            text = f"{where} says that the token of {account} was revoked; create a new one"
            return Drain(text, CredentialsError(text))
        if "EXPIRED_TOKEN" in codes:
            return ManagerFault(f"{where} says that the token has expired; is this machine's clock right?", 401)
        return ManagerFault(f"{where} answered 401 without a reason: a proxy's answer, or not a Harness manager?", 401)

    def _parse(self, model: type[M], reply: Reply, what: str) -> M:
        try:
            return model.model_validate_json(reply.body)
        except ValidationError:
            found = reply.json()  # names HTML and garbage better than pydantic does
            raise ManagerFault(
                f"{self.base} answered {what} with unexpected JSON ({type(found).__name__}); is it a Harness manager?",
                reply.status,
            ) from None


def _part(value: str) -> str:
    return quote(value, safe="")


def _messages(reply: Reply) -> list[Any]:
    try:
        return list(ErrorReply.model_validate_json(reply.body).messages)
    except ValidationError:
        return []


def _codes(reply: Reply) -> set[str]:
    return {message.code for message in _messages(reply)}


def _kind(reply: Reply) -> str:
    return " with an HTML page" if b"<html" in reply.body[:500].lower() else ""


def _retry_after(reply: Reply) -> float | None:
    """Seconds; a date, which the header may hold as well, is not worth its parser."""
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None
