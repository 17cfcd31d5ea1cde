"""The status server's addresses: what each answers, and who may ask."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict
from importlib import resources
from typing import Any, Final

import anyio
import anyio.to_thread
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic_core import PydanticSerializationError
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from delegate_core.errors import SettingsError, StateError
from delegate_core.runner.readiness import readiness
from delegate_core.settings import parse_duration
from delegate_core.status.access import COOKIE
from delegate_core.status.source import Source

__all__ = ["application"]

Endpoint = Callable[[Request], Awaitable[Response]]

_FRAME: Final = 0.25
"""Seconds between two looks for news, for each page that is open: four a second are enough for eyes."""

_BEAT: Final = 2.0
"""Seconds after which a page gets a state although nothing has happened: clocks go on, and a lost page is noticed."""

_LARGEST_ORDER: Final = 4096

_SAFE: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer: nothing foreign is loaded, nothing is kept, nobody frames the page, and no address tells a token."""

_PAGE: Final = {
    "": ("index.html", "text/html"),
    "app.js": ("app.js", "text/javascript"),
    "style.css": ("style.css", "text/css"),
}
"""The dashboard's files by their addresses."""


def application(source: Source) -> Starlette:
    """The application that serves one runner's status."""
    looks, orders = _Looks(source), _Orders(source)
    open_to_all = {"/healthz": looks.health, "/readyz": looks.ready}
    guarded: dict[str, Endpoint] = {
        "/metrics": looks.metrics,
        "/status.json": looks.status,
        "/log.json": looks.records,
        "/settings.json": looks.settings,
        "/events": looks.events,
        "/tasks/{task_id:path}/log": looks.log,
        "/tasks/{task_id:path}/lines": looks.lines,
        "/tasks/{task_id:path}/events": looks.line_events,
        "/{file}": looks.page,
        "/": looks.page,
    }
    given: dict[str, Endpoint] = {
        "/pause": orders.pause,
        "/resume": orders.resume,
        "/maintenance/on": orders.maintain,
        "/maintenance/off": orders.end_maintenance,
        "/drain": orders.drain,
        "/tasks/{task_id:path}/cancel": orders.cancel,
    }
    guard = _Guard(source)
    routes = [
        *(Route(path, _safe(call), methods=["GET"]) for path, call in open_to_all.items()),
        *(Route(path, _safe(guard.ordering(call)), methods=["POST"]) for path, call in given.items()),
        *(Route(path, _safe(guard.looking(call)), methods=["GET"]) for path, call in guarded.items()),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # nobody is led anywhere before it is known who asks
    return app


def _safe(call: Endpoint) -> Endpoint:
    async def answered(request: Request) -> Response:
        response = await call(request)
        for name, value in _SAFE.items():
            response.headers.setdefault(name, value)
        return response

    return answered


class _Guard:
    """Lets in who has the token or the password."""

    def __init__(self, source: Source) -> None:
        self._access = source.access

    def looking(self, call: Endpoint) -> Endpoint:
        """For what only shows. ``?token=`` is taken once, and becomes a cookie that the address does not show."""

        async def guarded(request: Request) -> Response:
            given = request.query_params.get("token")
            if given is not None and self._access.is_token(given):
                return self._with_cookie(request)
            if not self._access.admits(request.headers, request.cookies):
                return self._refused()
            return await call(request)

        return guarded

    def ordering(self, call: Endpoint) -> Endpoint:
        """For what changes something: a foreign page must not make a browser say it, so it has to be JSON."""

        async def guarded(request: Request) -> Response:
            if not self._access.admits(request.headers, request.cookies):
                return self._refused()
            if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                return _Answer({"error": "send Content-Type: application/json"}, 415)
            return await call(request)

        return guarded

    def _with_cookie(self, request: Request) -> Response:
        response = RedirectResponse(request.url.path, 303)
        response.set_cookie(COOKIE, self._access.token, httponly=True, samesite="strict", path="/")
        return response

    def _refused(self) -> Response:
        text = "a token or a password is needed; the token is in the file status.json of the runner's state folder\n"
        return PlainTextResponse(text, 401, headers={"WWW-Authenticate": self._access.scheme})


class _Looks:
    """What can be seen."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def health(self, _request: Request) -> Response:
        """The runner's loop goes round: it has just answered."""
        return PlainTextResponse("alive\n")

    async def ready(self, _request: Request) -> Response:
        """Whether it takes tasks, how it stands, and why not. No address and no account is named: anybody may ask."""
        now = self._source.runner.snapshot()
        found, word = readiness(now), now.standing.word
        if found.ready:
            return PlainTextResponse(f"ready: {word}\n")
        told = "" if word in found.brief else f"{word}: "
        return PlainTextResponse(f"not ready: {told}{found.brief}\n", 503)

    async def metrics(self, _request: Request) -> Response:
        """For Prometheus."""
        return Response(self._source.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def status(self, _request: Request) -> Response:
        """For programs."""
        return Response(_report(self._source), media_type="application/json")

    async def records(self, _request: Request) -> Response:
        """The runner's own log, the latest last."""
        return _Answer({"records": [asdict(record) for record in self._source.activity.records()]})

    async def settings(self, _request: Request) -> Response:
        """Each setting with its value and where that came from; secrets are hidden."""
        return _Answer(self._source.settings())

    async def events(self, request: Request) -> Response:
        """The state whenever it has changed, as server-sent events."""
        return _stream(self._states(request))

    async def _states(self, request: Request) -> AsyncIterator[str]:
        seen, last = -1, 0.0
        while not await request.is_disconnected():
            now = anyio.current_time()
            if self._source.activity.version != seen or now - last >= _BEAT:
                seen, last = self._source.activity.version, now
                yield _event("status", _report(self._source))
            await anyio.sleep(_FRAME)

    async def log(self, request: Request) -> Response:
        """A task's whole log, as text."""
        try:
            lines = self._source.log(request.path_params["task_id"])
            first = await anyio.to_thread.run_sync(next, lines, "")
        except StateError as error:
            return PlainTextResponse(f"{error}\n", 404)
        return StreamingResponse(iterate_in_threadpool(_with(first, lines)), media_type="text/plain; charset=utf-8")

    async def lines(self, request: Request) -> Response:
        """What is remembered of a task's log, from line ``?start=N`` on."""
        task_id = request.path_params["task_id"]
        if self._source.activity.find(task_id) is None:
            return _Answer({"error": f"no task {task_id}"}, 404)
        lines = self._source.activity.lines(task_id, _start(request))
        return _Answer({"lines": [asdict(line) for line in lines]})

    async def line_events(self, request: Request) -> Response:
        """The lines of a task as they come, as server-sent events; ends with the task."""
        task_id = request.path_params["task_id"]
        if self._source.activity.find(task_id) is None:
            return _Answer({"error": f"no task {task_id}"}, 404)
        return _stream(self._lines_of(request, task_id, _start(request)))

    async def _lines_of(self, request: Request, task_id: str, start: int) -> AsyncIterator[str]:
        beat = anyio.current_time()
        while not await request.is_disconnected():
            task = self._source.activity.find(task_id)
            lines = self._source.activity.lines(task_id, start)
            if lines:
                start = lines[-1].number + 1
                yield _event("lines", json.dumps([asdict(line) for line in lines]))
            elif task is None or task.finished is not None:
                break
            elif anyio.current_time() - beat >= _BEAT:
                beat = anyio.current_time()
                yield ": still there\n\n"
            await anyio.sleep(_FRAME)
        yield _event("end", "{}")

    async def page(self, request: Request) -> Response:
        """The dashboard and its parts."""
        found = _PAGE.get(request.path_params.get("file", ""))
        if found is None:
            return PlainTextResponse("not found\n", 404)
        name, kind = found
        text = resources.files(__package__).joinpath("page", name).read_text(encoding="utf-8")
        return Response(text, media_type=f"{kind}; charset=utf-8")


class _Orders:
    """What an operator can have done."""

    def __init__(self, source: Source) -> None:
        self._runner = source.runner
        self._access = source.access

    async def _told(self, what: str, request: Request) -> str:
        """By whom, and why, as an order's ``reason`` says."""
        why = _said((await _order(request)).get("reason"))
        return f"{what} by {self._access.caller(request.headers)}{f': {why}' if why else ''}"

    async def pause(self, request: Request) -> Response:
        """Take no new task, until told to resume; ``reason`` is shown meanwhile."""
        self._runner.pause(await self._told("paused", request))
        return self._state()

    async def resume(self, _request: Request) -> Response:
        """Take tasks again."""
        self._runner.resume()
        return self._state()

    async def maintain(self, request: Request) -> Response:
        """Take no new task until that is ended or ``for`` is over, whatever restarts; ``message`` is shown."""
        given = await _order(request)
        try:
            seconds = None if given.get("for") in (None, "") else parse_duration(given["for"])
            by = self._access.caller(request.headers)
            self._runner.maintain(_said(given.get("message")), by=by, seconds=seconds)
        except (ValueError, SettingsError, StateError) as error:
            return _Answer({"error": str(error)}, 409 if isinstance(error, StateError) else 400)
        return self._state()

    async def end_maintenance(self, _request: Request) -> Response:
        """Take tasks again."""
        try:
            self._runner.end_maintenance()
        except StateError as error:
            return _Answer({"error": str(error)}, 409)
        return self._state()

    async def drain(self, request: Request) -> Response:
        """Finish what runs, deliver, and leave."""
        self._runner.drain(await self._told("asked to drain", request))
        return self._state()

    async def cancel(self, request: Request) -> Response:
        """Cancel a task."""
        task_id = request.path_params["task_id"]
        if not self._runner.cancel(task_id):
            return _Answer({"error": f"no task {task_id} is running"}, 404)
        return _Answer({"cancelled": task_id})

    def _state(self) -> Response:
        now = self._runner.snapshot()
        return _Answer({"state": now.state, "reason": now.reason, "holds": list(now.holds)})


async def _order(request: Request) -> Mapping[str, Any]:
    """What a request's body says; nothing where it is empty, too long or no object."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_ORDER:
            return {}
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _said(value: Any) -> str:
    """What an order says for people."""
    return str(value or "").encode("utf-8", "replace").decode()


def _start(request: Request) -> int:
    given = request.query_params.get("start", "0")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 16 else 0


class _Answer(JSONResponse):
    """JSON; half a surrogate pair, as in a file name that is not UTF-8, becomes a question mark."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _report(source: Source) -> str:
    """The state, for programs; with half a surrogate pair as in an answer."""
    report = source.report()
    try:
        return report.model_dump_json()
    except PydanticSerializationError:
        return json.dumps(report.model_dump(), ensure_ascii=False).encode("utf-8", "replace").decode()


def _event(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {data}\n\n"


def _stream(events: AsyncIterator[str]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
