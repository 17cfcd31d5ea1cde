"""How each kind of fault is done to a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import anyio
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from .errors import BadBodyError, NoRowError
from .exchange import PLAIN, WIRE_KEY, json_reply, path_id, text_reply
from .faults import Fault, FaultKind
from .lifecycle import Lifecycle
from .records import Integer, Record, read
from .store import Store

__all__ = ["Inflicted", "inflict"]


@dataclass(frozen=True, slots=True)
class Inflicted:
    """A call under a fault: what is asked, of whom, and how it would be answered."""

    fault: Fault
    request: Request
    store: Store
    lifecycle: Lifecycle
    restart: Callable[[], None]
    answer: Callable[[], Awaitable[Response | None]]

    @property
    def row_id(self) -> int:
        """The id in the path."""
        return path_id(self.request.path_params.get("id", ""))


async def inflict(call: Inflicted) -> Response | None:
    """What the call is answered under the fault; None: the connection breaks."""
    return await _DEEDS[call.fault.kind](call)


async def _delay(call: Inflicted) -> Response | None:
    response = await call.answer()
    await anyio.sleep(call.fault.seconds)
    return response


async def _status(call: Inflicted) -> Response:
    status = call.fault.status
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return Response(status_code=status)
    page = f"<html>\n<head><title>{status}</title></head>\n<body><h1>{status}</h1><hr>proxy</body>\n</html>\n"
    return HTMLResponse(page, status)


async def _lose_request(_call: Inflicted) -> None:
    """The rest is not asked."""


async def _lose_reply(call: Inflicted) -> None:
    await call.answer()


async def _reset(call: Inflicted) -> Response | None:
    with anyio.move_on_after(call.fault.seconds):
        return await call.answer()
    return None


async def _restart(call: Inflicted) -> Response | None:
    call.restart()
    return await call.answer()


async def _duplicate(call: Inflicted) -> Response | None:
    taken = [stage for stage in call.store.incomplete() if stage.machine]
    if not taken:
        return await call.answer()
    before = {"machine": "", "status": "pending", "started": 0, "version": 1}
    return json_reply(taken[-1].model_copy(update=before).encode())


async def _stale(call: Inflicted) -> Response | None:
    table = call.store.steps if "/step/" in call.request.url.path else call.store.stages
    table.touch(await _body_id(call) or call.row_id)
    return await call.answer()


class _Identified(Record):
    id: Integer = 0


async def _body_id(call: Inflicted) -> int:
    try:
        return read(_Identified, await call.request.body()).id
    except BadBodyError:
        return 0


async def _chunked(call: Inflicted) -> Response | None:
    response = await call.answer()
    return _ChunkedReply() if response is not None and response.status_code == HTTPStatus.NO_CONTENT else response


class _ChunkedReply(Response):
    """No content in chunks: HTTP forbids it and some proxies do it, so it goes past the HTTP library."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as its base
        head = b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
        scope["state"][WIRE_KEY].finish(head)
        while (await receive())["type"] != "http.disconnect":
            pass


async def _no_content_type(call: Inflicted) -> Response | None:
    response = await call.answer()
    if response is not None and response.headers.get("content-type") == PLAIN:
        del response.headers["content-type"]
    return response


async def _no_config(call: Inflicted) -> Response | None:
    try:
        call.lifecycle.fail(call.row_id, "the file could not be fetched")
    except NoRowError:
        return await call.answer()
    return text_reply("the file could not be fetched", 500)


async def _details_fail(_call: Inflicted) -> Response:
    return text_reply("the account for git could not be made", 500)


_DEEDS: Mapping[FaultKind, Callable[[Inflicted], Awaitable[Response | None]]] = {
    FaultKind.DELAY: _delay,
    FaultKind.STATUS: _status,
    FaultKind.LOSE_REQUEST: _lose_request,
    FaultKind.LOSE_REPLY: _lose_reply,
    FaultKind.RESET: _reset,
    FaultKind.RESTART: _restart,
    FaultKind.DUPLICATE: _duplicate,
    FaultKind.STALE: _stale,
    FaultKind.CHUNKED: _chunked,
    FaultKind.NO_CONTENT_TYPE: _no_content_type,
    FaultKind.NO_CONFIG: _no_config,
    FaultKind.DETAILS_FAIL: _details_fail,
}
