"""How each kind of fault is done to a call."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from . import wire
from .exchange import JsonReply, RefusalError
from .faults import Fault, FaultKind
from .records import TaskStatus
from .state import ManagerState

__all__ = ["inflict"]


@dataclass(frozen=True, slots=True)
class _Call:
    """One call under a fault: what is asked, of whom, and how it would be answered."""

    fault: Fault
    request: Request
    state: ManagerState
    answer: Callable[[Request], Awaitable[Response]]

    @property
    def account_id(self) -> str:
        """The account named by the query."""
        query = self.request.query_params
        return query.get("accountId") or query.get("accountID", "")

    async def proceed(self) -> Response:
        """The reply without the fault; the call takes effect."""
        return await self.answer(self.request)


async def inflict(
    fault: Fault, request: Request, state: ManagerState, answer: Callable[[Request], Awaitable[Response]]
) -> Response | None:
    """What the call is answered under the fault; None: hang up without a reply."""
    return await _DEEDS[fault.kind](_Call(fault, request, state, answer))


async def _delay(call: _Call) -> Response:
    response = await call.proceed()
    await anyio.sleep(call.fault.seconds)
    return response


async def _status(call: _Call) -> Response:
    if call.fault.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return Response(status_code=call.fault.status)
    phrase = HTTPStatus(call.fault.status).phrase
    after = call.fault.retry_after
    headers = None if after is None else {"Retry-After": str(after)}
    page = f"<html><body><h1>{call.fault.status} {phrase}</h1><hr>gateway</body></html>"
    return HTMLResponse(page, call.fault.status, headers)


async def _unauthorized(call: _Call) -> Response:
    code = call.fault.code
    if code is None:
        return HTMLResponse("<html><body>sign in first</body></html>", HTTPStatus.UNAUTHORIZED)
    headers = {"X-Harness-Error": code}
    return RefusalError(HTTPStatus.UNAUTHORIZED, code, "as the test ordered", headers=headers).reply()


async def _lose_request(call: _Call) -> None:
    """Hang up; the rest is not asked."""


async def _lose_reply(call: _Call) -> None:
    await call.proceed()


async def _garbage(call: _Call) -> Response:
    await call.proceed()
    return Response(b"\xff\xfe\x00garbage", media_type="application/json")


async def _truncated(call: _Call) -> Response:
    response = await call.proceed()
    body = _body(response)
    return Response(body[: len(body) // 2], response.status_code, media_type="application/json")


async def _content_type(call: _Call) -> Response:
    response = await call.proceed()
    return Response(_body(response), response.status_code, media_type="text/html")


async def _empty(call: _Call) -> Response:
    await call.proceed()
    return Response(status_code=HTTPStatus.OK)


async def _null(call: _Call) -> Response:
    told = _object(await call.proceed())
    return JsonReply({**told, "resource": None} if "resource" in told else None)


async def _duplicate(call: _Call) -> Response:
    response = await call.proceed()
    told = _object(response)
    delegate_id = call.request.path_params.get("delegate_id", "")
    again = [wire.task_event(task) for task in call.state.started(call.account_id, delegate_id)]
    if "delegateTaskEvents" not in told:
        return response
    return JsonReply({"delegateTaskEvents": [*told["delegateTaskEvents"], *again]})


async def _unassigned(call: _Call) -> Response:
    params = call.request.path_params
    try:
        task = call.state.task(params.get("task_id", ""))
    except KeyError:
        return await call.proceed()
    if task.status is not TaskStatus.QUEUED:
        return await call.proceed()
    return JsonReply(wire.package(task, params["delegate_id"], "", ""))


async def _skew(call: _Call) -> Response:
    call.request.state.skew = call.fault.seconds
    return await call.proceed()


async def _self_destruct(_call: _Call) -> Response:
    return JsonReply(wire.wrapped(wire.directive("SELF_DESTRUCT", None)))


async def _migrate(call: _Call) -> Response:
    return JsonReply(wire.wrapped(wire.directive("MIGRATE", call.fault.url)))


async def _delete_delegate(call: _Call) -> Response:
    for delegate in call.state.delegates(call.account_id):
        call.state.delete_delegate(call.account_id, delegate.delegate_id)
    return await call.proceed()


async def _revoke_token(call: _Call) -> Response:
    if call.state.accounts.get(call.account_id) is not None:
        call.state.accounts.revoke_token(call.account_id)
    return await call.proceed()


def _body(response: Response) -> bytes:
    """The reply's bytes; a stream of events counts as empty."""
    return bytes(getattr(response, "body", b""))


def _object(response: Response) -> dict[str, Any]:
    """The reply's JSON object; an empty one where it is something else."""
    try:
        told = json.loads(_body(response))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


_DEEDS: Mapping[FaultKind, Callable[[_Call], Awaitable[Response | None]]] = {
    FaultKind.DELAY: _delay,
    FaultKind.STATUS: _status,
    FaultKind.UNAUTHORIZED: _unauthorized,
    FaultKind.LOSE_REQUEST: _lose_request,
    FaultKind.LOSE_REPLY: _lose_reply,
    FaultKind.GARBAGE: _garbage,
    FaultKind.TRUNCATED: _truncated,
    FaultKind.CONTENT_TYPE: _content_type,
    FaultKind.EMPTY: _empty,
    FaultKind.NULL: _null,
    FaultKind.DUPLICATE: _duplicate,
    FaultKind.UNASSIGNED: _unassigned,
    FaultKind.SKEW: _skew,
    FaultKind.SELF_DESTRUCT: _self_destruct,
    FaultKind.MIGRATE: _migrate,
    FaultKind.DELETE_DELEGATE: _delete_delegate,
    FaultKind.REVOKE_TOKEN: _revoke_token,
}
