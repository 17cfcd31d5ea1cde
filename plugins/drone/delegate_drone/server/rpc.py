"""The calls of runners, under ``/rpc/v2``, with the replies of the real server: its statuses, texts and headers."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from . import gojson
from .details import details
from .effects import Inflicted, inflict
from .errors import BadBodyError, LockLostError, RestartedError, ServerError
from .exchange import GoneError, json_reply, path_id, send_reply, text_reply, while_there
from .livelog import Line
from .parts import Parts
from .records import Record, Stage, Step, Wanted, parse, read

__all__ = ["PREFIX", "RunnerCalls"]

PREFIX = "/rpc/v2"

_NO_CACHE = {
    "cache-control": "no-cache, no-store, must-revalidate, private, max-age=0",
    "expires": "Thu, 01 Jan 1970 00:00:00 UTC",
    "pragma": "no-cache",
    "x-accel-expires": "0",
}

_log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Route:
    name: str
    method: str
    path: re.Pattern[str]
    handler: Handler


class _Lines(Record):
    lines: tuple[Line, ...] = ()


class _Said(Record):
    status: str = ""


class RunnerCalls:
    """An ASGI application of the calls.

    Args:
        parts: the server.
        url: where the server is, asked when it is told.
    """

    def __init__(self, parts: Parts, url: Callable[[], str]) -> None:
        self._parts, self._url = parts, url
        self._routes = [_Route(name, method, re.compile(path), call) for name, method, path, call in self._table()]

    def _table(self) -> list[tuple[str, str, str, Handler]]:
        """The node calls keep the colon of their pattern, which the real server's router takes to the letter."""
        return [
            ("join", "POST", "/nodes/:machine", self._nothing),
            ("leave", "DELETE", "/nodes/:machine", self._nothing),
            ("ping", "POST", "/ping", self._nothing),
            ("request", "POST", "/stage", self._request),
            ("accept", "POST", "/stage/(?P<id>[^/]+)", self._accept),
            ("details", "GET", "/stage/(?P<id>[^/]+)", self._details),
            ("stage", "PUT", "/stage/(?P<id>[^/]+)", self._update_stage),
            ("step", "PUT", "/step/(?P<id>[^/]+)", self._update_step),
            ("watch", "POST", "/build/(?P<id>[^/]+)/watch", self._watch),
            ("batch", "POST", "/step/(?P<id>[^/]+)/logs/batch", self._batch),
            ("upload", "POST", "/step/(?P<id>[^/]+)/logs/upload", self._upload),
            ("card", "POST", "/step/(?P<id>[^/]+)/card", self._card),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        request = Request(scope, receive)
        try:
            response = await self._guarded(request)
        except GoneError:
            return
        if response is not None:
            response.headers.update(_NO_CACHE)
        await send_reply(response, scope, receive, send)
        self._parts.news.tell()

    async def _guarded(self, request: Request) -> Response | None:
        """The secret is looked at before anything else, even for a path that there is not."""
        if not self._parts.keys.rpc:
            return Response(status_code=HTTPStatus.FORBIDDEN)
        if not self._parts.keys.is_rpc(request.headers.get("x-drone-token", "")):
            return Response(status_code=HTTPStatus.UNAUTHORIZED)
        path = request.url.path.removeprefix(PREFIX)
        found = [(route, match) for route in self._routes if (match := route.path.fullmatch(path))]
        if not found:
            return text_reply("404 page not found\n", HTTPStatus.NOT_FOUND)
        for route, match in found:
            if route.method == request.method:
                request.scope["path_params"] = match.groupdict()
                return await self._called(route, request)
        return Response(status_code=HTTPStatus.METHOD_NOT_ALLOWED)

    async def _called(self, route: _Route, request: Request) -> Response | None:
        name = await _name(route, request)
        self._parts.calls[name] += 1
        self._parts.news.tell()

        async def answer() -> Response | None:
            return await self._answered(name, route.handler, request)

        fault = self._parts.faults.take(name)
        if fault is None:
            return await answer()
        parts = self._parts
        return await inflict(Inflicted(fault, request, parts.store, parts.lifecycle, parts.restart, answer))

    async def _answered(self, name: str, handler: Handler, request: Request) -> Response | None:
        """The one mapping of errors that the real server has for all of these calls."""
        try:
            return await handler(request)
        except LockLostError as error:
            return text_reply(str(error), HTTPStatus.CONFLICT)
        except (ServerError, sqlite3.IntegrityError) as error:
            return text_reply(str(error), HTTPStatus.INTERNAL_SERVER_ERROR)
        except RestartedError:
            return None
        except GoneError:
            raise
        except ClientDisconnect:
            raise GoneError from None
        except Exception:  # noqa: BLE001 - a defect of ours is a 500, as any server answers
            _log.exception("the embedded server failed at %s", name)
            return Response(status_code=HTTPStatus.INTERNAL_SERVER_ERROR)

    # ------------------------------------------------------------------ handlers

    async def _nothing(self, _request: Request) -> Response:
        return Response()

    async def _request(self, request: Request) -> Response:
        wanted = read(Wanted, await request.body())
        stage = await while_there(request, lambda: self._parts.queue.request(wanted))
        return Response(status_code=HTTPStatus.NO_CONTENT) if stage is None else json_reply(stage.encode())

    async def _accept(self, request: Request) -> Response:
        machine = request.query_params.get("machine", "")
        return json_reply(self._parts.lifecycle.accept(_id(request), machine).encode())

    async def _details(self, request: Request) -> Response:
        return json_reply(details(self._parts, _id(request), self._url()))

    async def _update_stage(self, request: Request) -> Response:
        stage = self._parts.lifecycle.update_stage(read(Stage, await request.body()))
        if stage.status not in {"pending", "running"}:
            self._parts.finals[stage.id] += 1
        return json_reply(stage.encode())

    async def _update_step(self, request: Request) -> Response:
        return json_reply(self._parts.lifecycle.update_step(read(Step, await request.body())).encode())

    async def _watch(self, request: Request) -> Response:
        """Whether the build was cancelled, or is known at all, is looked at only after a wake-up."""
        build_id = _id(request)
        if not await while_there(request, lambda: self._parts.canceller.watch(build_id)):
            return Response(status_code=HTTPStatus.NO_CONTENT)
        self._parts.store.builds.find(build_id)
        return Response()

    async def _batch(self, request: Request) -> Response:
        value = gojson.decode(await request.body())
        self._parts.live.write(
            _id(request), parse(_Lines, {"lines": tuple(value) if isinstance(value, list) else value}).lines
        )
        return Response()

    async def _upload(self, request: Request) -> Response:
        self._parts.store.logs.insert(_id(request), await request.body())
        return Response()

    async def _card(self, request: Request) -> Response:
        """Only the data is kept. A second card is lost without a word, as any error of the real store."""
        try:
            value = gojson.decode(await request.body())
        except BadBodyError as error:
            return JSONResponse({"message": str(error)}, HTTPStatus.BAD_REQUEST)
        data = value.get("data") if isinstance(value, Mapping) else None
        try:
            self._parts.store.cards.insert(_id(request), json.dumps(data, ensure_ascii=False).encode())
        except sqlite3.IntegrityError:
            _log.info("step %d has a card already", _id(request))
        return Response()


def _id(request: Request) -> int:
    return path_id(request.path_params["id"])


async def _name(route: _Route, request: Request) -> str:
    """The call's name; updates are told apart by their status, as the real server does."""
    if route.name not in {"stage", "step"}:
        return route.name
    try:
        status = read(_Said, await request.body()).status
    except BadBodyError:
        status = ""
    return f"{route.name}-start" if status in {"pending", "running"} else f"{route.name}-end"
