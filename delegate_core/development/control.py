"""The control interface of a development server, on loopback, behind a token."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from delegate_core.development.bounded import Bounds, configured
from delegate_core.development.server import DevelopmentServer, SubmissionError
from delegate_core.development.serving import GuestServer, listen

__all__ = ["serve_control"]

_LONGEST_FILE = 16 * 1024 * 1024

_BOUNDS = Bounds(body=_LONGEST_FILE + 64 * 1024)

_AT_ONCE = 10.0
"""Seconds for what is there already."""

Endpoint = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def serve_control(server: DevelopmentServer, token: str) -> AsyncIterator[str]:
    """Serve it on a free port; yields its address."""
    with listen(0) as listener:
        guest = GuestServer(configured(_app(server, token), _BOUNDS))
        async with anyio.create_task_group() as group:
            group.start_soon(guest.serve, [listener])
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                await guest.stop()
                group.cancel_scope.cancel()


def _app(server: DevelopmentServer, token: str) -> Starlette:
    calls = _Calls(server)
    routes = [
        ("POST", "/tasks", calls.submit),
        ("GET", "/tasks", calls.tasks),
        ("GET", "/tasks/{task_id:path}/result", calls.result),
        ("GET", "/tasks/{task_id:path}/log", calls.log),
        ("POST", "/tasks/{task_id:path}/cancel", calls.cancel),
    ]
    return Starlette(routes=[Route(path, _guarded(call, token), methods=[method]) for method, path, call in routes])


def _guarded(call: Endpoint, token: str) -> Endpoint:
    """Ask for the token, and turn the server's errors into answers."""
    wanted = f"Bearer {token}".encode()

    async def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, wanted):
            return JSONResponse({"error": "wrong or missing token"}, 401)
        try:
            return await call(request)
        except KeyError:
            return JSONResponse({"error": f"no task {request.path_params.get('task_id')}"}, 404)
        except (SubmissionError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 422)

    return guarded


def _seconds(request: Request, name: str) -> float:
    """How long the caller wants to wait, ``inf`` for ever; raises ValueError."""
    seconds = float(request.query_params.get(name, "0"))
    if not seconds >= 0:
        raise ValueError(f"{name} must be 0 seconds or more, or inf")
    return seconds


async def _for_seconds(lines: AsyncIterator[str], seconds: float) -> AsyncIterator[str]:
    """The lines until their end, or until the time is over."""
    deadline = anyio.current_time() + seconds
    while (line := await _next_before(lines, deadline)) is not None:
        yield line


async def _next_before(lines: AsyncIterator[str], deadline: float) -> str | None:
    with anyio.move_on_at(deadline):
        return await anext(lines, None)
    return None


class _Calls:
    def __init__(self, server: DevelopmentServer) -> None:
        self._server = server

    async def submit(self, request: Request) -> Response:
        """The body is the file's text, the query its options."""
        text = b""
        async for chunk in request.stream():
            text += chunk
            if len(text) > _LONGEST_FILE:
                return JSONResponse({"error": f"the file is larger than {_LONGEST_FILE} bytes"}, 413)
        ids = self._server.submit(text.decode("utf-8", "replace"), dict(request.query_params))
        return JSONResponse({"ids": ids}, 201)

    async def tasks(self, _request: Request) -> Response:
        """All tasks."""
        return JSONResponse({"tasks": [asdict(task) for task in self._server.tasks()]})

    async def result(self, request: Request) -> Response:
        """A task, once it has its outcome, but after ``?wait=SECONDS`` at the latest."""
        task_id: str = request.path_params["task_id"]
        with anyio.move_on_after(_seconds(request, "wait")):
            await self._server.finished(task_id)
        return JSONResponse(asdict(self._server.task(task_id)))

    async def log(self, request: Request) -> Response:
        """A task's log as text: what is there, and what comes within ``?follow=SECONDS``, to its end."""
        task_id: str = request.path_params["task_id"]
        self._server.task(task_id)
        seconds = _seconds(request, "follow")
        lines = _for_seconds(self._server.log(task_id, follow=seconds > 0), seconds or _AT_ONCE)
        return StreamingResponse(lines, media_type="text/plain; charset=utf-8")

    async def cancel(self, request: Request) -> Response:
        """Cancel a task."""
        return JSONResponse({"cancelled": self._server.cancel(request.path_params["task_id"])})
