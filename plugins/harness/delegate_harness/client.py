"""Typed calls to a manager, and what its refusals mean."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import anyio.to_thread
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from delegate_core.errors import CredentialsError, Drain, Retry, SettingsError, Stop
from delegate_core.http import Reply, Transport, operation
from delegate_harness.auth import Tokens
from delegate_harness.package import PackageError, read_package
from delegate_harness.wire import AcquiredTask, ErrorReply, HeartbeatReply, Message, RegisterReply, TaskEvents

__all__ = ["ManagerClient", "ManagerFault", "encode", "parse_endpoint", "printable"]

M = TypeVar("M", bound=BaseModel)

_NOT_AVAILABLE = frozenset({204, 404, 409, 500})
_NOT_NOW = frozenset({429, 502, 503, 504})

_REFUSED_FOR_GOOD = {
    "REVOKED_TOKEN": "says that {} was revoked; create a new one",
    "INVALID_AGENT_MTLS_AUTHORITY": "refused our client certificate; check --client-certificate and --client-key",
}

_TOKEN = re.compile(r"eyJ[\w-]*(?:\.[\w-]*){2,4}", re.ASCII)
_SHOWN = 500

TIMEOUT = 30.0
HEARTBEAT_TIMEOUT = 15.0

_QUICKLY_READ = 64 * 1024
"""Bytes of a package that the event loop may read itself."""


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
    shown = endpoint.rpartition("@")[2].strip()
    try:
        parts = urlsplit(endpoint.strip())
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that cannot be
        usable = False
    if not usable:
        raise SettingsError(
            f"endpoint {shown!r} is no address; write it with its scheme, such as https://manager.example:3457"
        )
    if "@" in parts.netloc:
        raise SettingsError(f"endpoint {shown!r} carries a user or a password, which no manager asks for; leave it out")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api')}"


class ManagerClient:
    """One account's calls to one manager.

    Every call carries the account id as a query and the token as a header, and has a timeout. Errors: `Stop` or
    `Drain` where the token is refused for good, `Retry` or `ManagerFault` for what may pass, and what the transport
    raises.
    """

    def __init__(
        self, transport: Transport, base: str, account_id: str, tokens: Tokens, *, endpoint: str | None = None
    ) -> None:
        self.base = base
        self.endpoint = endpoint or base
        """The address that the settings name; `base` is another one after a move."""
        self.account_id = account_id
        self.transport = transport
        self._tokens = tokens
        self._account = urlencode({"accountId": account_id})

    def at(self, base: str) -> ManagerClient:
        """The same account's calls to another address."""
        return ManagerClient(self.transport, base, self.account_id, self._tokens, endpoint=self.endpoint)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.transport.aclose()

    # ------------------------------------------------------------------ the delegate

    @operation("register")
    async def register(self, body: Mapping[str, Any]) -> RegisterReply:
        """Announce this delegate: what it is and which task types it serves. The reply has its id, or an order."""
        reply = await self._call("POST", "/api/agent/delegates/register", body=body)
        if not reply.body.strip():
            return RegisterReply()
        return self._parse(RegisterReply, reply, "register")

    @operation("heartbeat")
    async def heartbeat(self, body: Mapping[str, Any]) -> HeartbeatReply:
        """Say that this delegate is alive, and what it is. The manager gives a silent one up after five minutes."""
        path = "/api/agent/delegates/heartbeat-with-polling"
        reply = await self._call("POST", path, body=body, timeout=HEARTBEAT_TIMEOUT)
        if not reply.body.strip():
            return HeartbeatReply()
        return self._parse(HeartbeatReply, reply, "heartbeat")

    @operation("configuration")
    async def directive(self) -> str:
        """What delegates of this account are told to do: ``SELF_DESTRUCT``, ``MIGRATE``; empty: nothing.

        GET configuration, which changes nothing. A manager or a gateway that has no such call is asked for a token of
        the log service instead, so that the answer proves in any case that our own token is taken.
        """
        reply = await self._call("GET", "/api/agent/delegates/configuration", accepted=frozenset({404}))
        if reply.status == 404:
            await self._call("GET", "/api/agent/delegates/logging-token")
            return ""
        if not reply.body.strip():
            return ""
        found = self._parse(RegisterReply, reply, "configuration").resource
        return (found.action or "") if found is not None else ""

    @operation("unregister")
    async def unregister(self, body: Mapping[str, Any]) -> None:
        """Take leave. The manager fails at once whatever this delegate still holds."""
        await self._call("POST", "/api/agent/delegates/unregister", body=body, timeout=HEARTBEAT_TIMEOUT)

    @operation("register_capacity")
    async def register_capacity(self, delegate_id: str, capacity: int) -> None:
        """Say how many tasks may run here at once."""
        path = f"/api/agent/delegates/register-delegate-capacity/{_part(delegate_id)}"
        await self._call("POST", path, body={"maximumNumberOfBuilds": capacity})

    # ------------------------------------------------------------------ tasks

    @operation("task_events")
    async def task_events(self, delegate_id: str) -> TaskEvents:
        """What is to be had, and aborts, each of which is listed once only. Answered at once: it is no long poll."""
        reply = await self._call("GET", f"/api/agent/delegates/{_part(delegate_id)}/task-events")
        return self._parse(TaskEvents, reply, "task-events")

    @operation("acquire")
    async def acquire(self, delegate_id: str, task_id: str, instance_id: str) -> AcquiredTask | None:
        """Take a task. None: not to be had, which the manager says with a 500 and a generic body.

        The same instance is given the same task again, so a lost reply loses nothing.
        """
        path = f"/api/agent/v2/delegates/{_part(delegate_id)}/tasks/{_part(task_id)}/acquire"
        query = f"&delegateInstanceId={_part(instance_id)}"
        reply = await self._call("PUT", path, query=query, accepted=_NOT_AVAILABLE)
        if reply.status in _NOT_AVAILABLE or reply.body.strip() in {b"", b"null"}:
            return None
        try:
            acquired = await self._read(reply.body)
        except PackageError as error:
            what = f"{len(reply.body)} bytes that are {error}"
            text = f"{self.base} answered acquire with {what}; is it a Harness manager?"
            raise ManagerFault(text, reply.status) from None
        return acquired if acquired.id else None

    @staticmethod
    async def _read(body: bytes) -> AcquiredTask:
        if len(body) <= _QUICKLY_READ:
            return read_package(body)
        return await anyio.to_thread.run_sync(read_package, body)

    @operation("respond")
    async def respond(self, delegate_id: str, task_id: str, body: Mapping[str, Any]) -> None:
        """Report a result in the legacy form. The first one counts; a repeated one does no harm."""
        path = f"/api/agent/v2/tasks/{_part(task_id)}/delegates/{_part(delegate_id)}"
        await self._call("POST", path, body=body)

    @operation("respond")
    async def respond_as_runner(self, delegate_id: str, task_id: str, body: Mapping[str, Any]) -> None:
        """Report a result in the runner's form, for tasks that say ``runnerResponse``."""
        query = f"&delegateId={quote(delegate_id, safe='')}"
        await self._call("POST", f"/api/executions/{_part(task_id)}/response", query=query, body=body)

    @operation("respond_step")
    async def respond_v2(self, runner_id: str, task_id: str, body: Mapping[str, Any]) -> None:
        """Report the status of a step, in the runner's form, for another task id than the one that asked for it."""
        query = f"&runnerId={quote(runner_id, safe='')}"
        await self._call("POST", f"/api/executions/{_part(task_id)}/task-response", query=query, body=body)

    @operation("logging_token")
    async def logging_token(self) -> str:
        """A token for the log service; empty if the manager gives none."""
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
        content = None if body is None else encode(body)
        header = self._tokens.header()
        reply = await self._send(method, url, content, header, timeout)
        renewed = None
        if reply.status == 401 and "EXPIRED_TOKEN" in _codes(reply):
            renewed = self._tokens.renew(header)
            if renewed:
                reply = await self._send(method, url, content, self._tokens.header(), timeout)
        if 200 <= reply.status < 300 or reply.status in accepted:
            return reply
        raise self._refusal(path, reply, renewed=renewed)

    async def _send(
        self,
        method: str,
        url: str,
        content: bytes | None,
        token: str,
        timeout: float,  # noqa: ASYNC109 - the transport bounds it
    ) -> Reply:
        headers = {"Authorization": token, "Content-Type": "application/json"}
        return await self.transport.request(method, url, headers=headers, body=content, timeout=timeout)

    def _refusal(self, path: str, reply: Reply, *, renewed: bool | None) -> Exception:
        where = f"{self.base}{path}"
        if reply.status == 401:
            return self._refused_token(where, _codes(reply), renewed=renewed)
        messages = "; ".join(message.message for message in _messages(reply) if message.message)
        # Nothing that a server echoes may carry our token on, or act on a terminal.
        messages = printable(_TOKEN.sub("***", messages)[:_SHOWN])
        text = f"{where} answered {reply.status}{': ' + messages if messages else _kind(reply)}"
        if reply.status in _NOT_NOW:
            return Retry(text, _retry_after(reply))
        return ManagerFault(text, reply.status)

    def _refused_token(self, where: str, codes: set[str], *, renewed: bool | None) -> Exception:
        """``renewed``: whether an expired token could be renewed; None if that was not tried."""
        of = f"the token of account {self.account_id}"
        if "INVALID_TOKEN" in codes:
            text = f"{where} refused {of}: check the account id and the account secret"
            return Stop(text, CredentialsError(text))
        for code, complaint in _REFUSED_FOR_GOOD.items():
            if code in codes:
                return _drain(f"{where} {complaint.format(of)}")
        if "EXPIRED_TOKEN" not in codes:
            return ManagerFault(
                f"{where} answered 401 without a reason: a proxy's answer, or not a Harness manager?", 401
            )
        if renewed is False:
            return _drain(f"{where} says that {of} has expired; get a new one")
        return ManagerFault(f"{where} says that {of} has expired; is this machine's clock right?", 401)

    def _parse(self, model: type[M], reply: Reply, what: str) -> M:
        try:
            return model.model_validate_json(reply.body)
        except ValidationError:
            found = reply.json()  # names HTML and garbage better than pydantic does
            if isinstance(found, dict):
                # Half a surrogate pair is valid JSON, and not to pydantic: a task must not be lost for it.
                whole = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
                with contextlib.suppress(ValidationError):
                    return model.model_validate_json(whole)
            raise ManagerFault(
                f"{self.base} answered {what} with unexpected JSON ({type(found).__name__}); is it a Harness manager?",
                reply.status,
            ) from None


def encode(value: Any) -> bytes:
    """A value as JSON, whatever text a handler put into it.

    Half a surrogate pair, as Python makes of a file name that is not UTF-8, has no UTF-8 form; it is escaped.
    """
    try:
        return to_json(value, inf_nan_mode="strings")
    except PydanticSerializationError:
        return json.dumps(value).encode()


def _drain(text: str) -> Drain:
    return Drain(text, CredentialsError(text))


@functools.lru_cache(maxsize=256)  # the delegate's own id is a part of nearly every path
def _part(value: str) -> str:
    return quote(value, safe="")


def _messages(reply: Reply) -> list[Message]:
    try:
        return list(ErrorReply.model_validate_json(reply.body).messages)
    except ValidationError:
        return []


def printable(text: str) -> str:
    """In one line, without what acts on a terminal."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _codes(reply: Reply) -> set[str]:
    """The codes in the body, and the one in the header, which a gateway's own page leaves."""
    return {message.code for message in _messages(reply)} | {reply.headers.get("x-harness-error", "")}


def _kind(reply: Reply) -> str:
    if 300 <= reply.status < 400:
        return ", which leads elsewhere; is the address right?"
    return " with an HTML page" if b"<html" in reply.body[:500].lower() else ""


def _retry_after(reply: Reply) -> float | None:
    """Seconds; a date, which the header may hold as well, is not worth its parser."""
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None
