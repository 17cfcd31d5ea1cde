"""The part of the user's interface that development needs: builds, logs, cards and the queue, behind a token."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from . import gojson
from .builds import SkippedError
from .errors import LockLostError, NoRowError
from .livelog import LiveLog, Viewer
from .parts import Parts
from .records import Build, Step

__all__ = ["user_interface"]

_BUILDS = "/api/repos/{owner}/{name}/builds"
_LOG = _BUILDS + "/{build:int}/logs/{stage:int}/{step:int}"
_PING = b": ping\n\n"
_EOF = b"event: error\ndata: eof\n\n"

Endpoint = Callable[[Request], Awaitable[Response]]


def user_interface(parts: Parts) -> Starlette:
    """The application; also ``/healthz`` and ``/version``, which anyone may ask."""
    calls = _Calls(parts)
    routes = [
        ("GET", _BUILDS, calls.builds),
        ("GET", _BUILDS + "/{build:int}", calls.build),
        ("POST", _BUILDS + "/{build:int}", calls.restart),
        ("DELETE", _BUILDS + "/{build:int}", calls.cancel),
        ("GET", _LOG, calls.log),
        ("DELETE", _LOG, calls.delete_log),
        ("GET", "/api/stream/{owner}/{name}/{build:int}/{stage:int}/{step:int}", calls.stream),
        ("GET", "/api/repos/{owner}/{name}/cards/{build:int}/{stage:int}/{step:int}", calls.card),
        ("GET", "/api/queue", calls.queue),
        ("POST", "/api/queue", calls.resume),
        ("DELETE", "/api/queue", calls.pause),
    ]
    guarded = [Route(path, _guarded(call, parts), methods=[method]) for method, path, call in routes]
    open_routes = [Route("/healthz", calls.health), Route("/version", calls.version)]
    return Starlette(routes=[*guarded, *open_routes], exception_handlers={HTTPException: _no_such_call})


def _guarded(call: Endpoint, parts: Parts) -> Endpoint:
    """Ask for the token, and turn errors into replies."""

    async def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not any(map(parts.keys.is_user, (given, request.query_params.get("access_token", "")))):
            return _refusal(HTTPStatus.UNAUTHORIZED, "Unauthorized")
        try:
            return await call(request)
        except NoRowError as error:
            return _refusal(HTTPStatus.NOT_FOUND, str(error))
        except LockLostError as error:
            return _refusal(HTTPStatus.CONFLICT, str(error))
        except (SkippedError, sqlite3.IntegrityError) as error:
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    return guarded


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status)


async def _no_such_call(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    return _refusal(status, "Not Found" if status == HTTPStatus.NOT_FOUND else HTTPStatus(status).phrase)


def _json(value: Any) -> Response:
    return Response(gojson.encode(value), media_type="application/json")


class _Calls:
    def __init__(self, parts: Parts) -> None:
        self._parts, self._store = parts, parts.store

    # ------------------------------------------------------------------ builds

    async def builds(self, request: Request) -> Response:
        """A repository's builds, newest first, without stages."""
        repository = self._store.repositories.one("WHERE {}_slug = ?", _slug(request))
        found = self._store.builds.select("WHERE {}_repo_id = ?", repository.id)
        return _json([build.encode() for build in reversed(found)])

    async def build(self, request: Request) -> Response:
        """One build, with its stages and their steps."""
        return _json(self._whole(self._build(request)).encode())

    async def restart(self, request: Request) -> Response:
        """A new build of the same event; the query's other values are its parameters."""
        params = {name: value for name, value in request.query_params.items() if name != "access_token"}
        build = self._parts.builds.again(self._build(request), params)
        self._parts.news.tell()
        return _json(self._whole(build).encode())

    async def cancel(self, request: Request) -> Response:
        """Cancel a build."""
        build = self._parts.lifecycle.cancel(self._build(request))
        self._parts.news.tell()
        return _json(self._whole(build).encode())

    def _build(self, request: Request) -> Build:
        return self._store.build_at(_slug(request), request.path_params["build"])

    def _whole(self, build: Build) -> Build:
        return build.model_copy(update={"stages": self._store.stages_of(build.id, steps=True)})

    # ------------------------------------------------------------------ logs

    async def log(self, request: Request) -> Response:
        """A step's stored log, as it was uploaded; there is none before."""
        return _stored(self._store.logs.find(self._step(request).id), "application/json")

    async def delete_log(self, request: Request) -> Response:
        """Forget a step's stored log."""
        self._store.logs.delete(self._step(request).id)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def stream(self, request: Request) -> Response:
        """A step's live log as server-sent events."""
        found = self._parts.live.find(self._step(request).id)
        events = _events(found, self._parts.rules.ping_every)
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        return StreamingResponse(events, headers={"content-type": "text/event-stream", **headers})

    async def card(self, request: Request) -> Response:
        """A step's card."""
        return _stored(self._store.cards.find(self._step(request).id), "application/json")

    def _step(self, request: Request) -> Step:
        numbers = request.path_params
        return self._store.step_at(self._build(request).id, numbers["stage"], numbers["step"])

    # ------------------------------------------------------------------ the queue and the server

    async def queue(self, _request: Request) -> Response:
        """The stages that are pending or running."""
        return _json([stage.encode() for stage in self._store.incomplete()])

    async def resume(self, _request: Request) -> Response:
        """Offer stages again."""
        self._parts.queue.resume()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def pause(self, _request: Request) -> Response:
        """Offer no stage."""
        self._parts.queue.pause()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def health(self, _request: Request) -> Response:
        """The server is there."""
        return PlainTextResponse("OK")

    async def version(self, _request: Request) -> Response:
        """What the server says it is."""
        return _json({"source": "embedded", "version": self._parts.rules.version, "commit": ""})


def _slug(request: Request) -> str:
    return f"{request.path_params['owner']}/{request.path_params['name']}"


def _stored(data: bytes | None, media_type: str) -> Response:
    if data is None:
        raise NoRowError
    return Response(data, media_type=media_type)


async def _events(log: LiveLog | None, ping_every: float) -> AsyncIterator[bytes]:
    """A ping, each line, pings while nothing comes, and at last an event of type error that says eof."""
    yield _PING
    if log is not None:
        viewer = log.view()
        try:
            async for event in _lines(viewer, ping_every):
                yield event
        finally:
            log.leave(viewer)
    yield _EOF


async def _lines(viewer: Viewer, ping_every: float) -> AsyncIterator[bytes]:
    while True:
        event = _PING
        with anyio.move_on_after(ping_every):
            line = await viewer.next()
            if line is None:
                return
            event = b"data: " + gojson.encode(line.encode()) + b"\n\n"
        yield event
