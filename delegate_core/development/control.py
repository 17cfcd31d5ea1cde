"""The control interface of a development server, on loopback, behind a token."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from delegate_core.development.server import DevelopmentServer, SubmissionError
from delegate_core.development.serving import GuestServer, listen

__all__ = ["serve_control"]

_LONGEST_FILE = 16 * 1024 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def serve_control(server: DevelopmentServer, token: str) -> AsyncIterator[str]:
    """Serve it on a free port; yields its address."""
    with listen(0) as listener:
        guest = GuestServer(uvicorn.Config(_app(server, token), lifespan="off", ws="none", log_config=None))
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
        """A task; with ``?wait=1`` once it has its outcome."""
        task_id: str = request.path_params["task_id"]
        waits = request.query_params.get("wait") == "1"
        task = await self._server.finished(task_id) if waits else self._server.task(task_id)
        return JSONResponse(asdict(task))

    async def log(self, request: Request) -> Response:
        """A task's log as text; with ``?follow=1`` to its end."""
        task_id: str = request.path_params["task_id"]
        self._server.task(task_id)
        lines = self._server.log(task_id, follow=request.query_params.get("follow") == "1")
        return StreamingResponse(lines, media_type="text/plain; charset=utf-8")

    async def cancel(self, request: Request) -> Response:
        """Cancel a task."""
        return JSONResponse({"cancelled": self._server.cancel(request.path_params["task_id"])})
