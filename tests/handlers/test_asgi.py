"""ASGI apps as handlers: a real framework, and apps that break the rules."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from delegate_core import asgi
from delegate_core.errors import PluginError
from delegate_core.model import JsonValue, Outcome, Task, TaskResult
from delegate_core.testing.bench import PATIENCE, Bench
from delegate_core.testing.surroundings import PrintingContext
from tests.core.scripted_backend import Scripted

Make = Callable[..., PrintingContext]


def app(endpoint: Callable[[Request], Any], **options: Any) -> Starlette:
    return Starlette(routes=[Route("/run", endpoint, methods=["POST"])], **options)


async def call(app: Any, context: PrintingContext, data: JsonValue = None, **options: Any) -> TaskResult:
    with anyio.fail_after(PATIENCE):
        handler = asgi("x", app, path="/run?q=1", **options)
        return await handler.execute(Task(id="t1", type="x", data=data), context)


async def test_the_request_is_the_task_and_the_response_its_result(task_context: Make) -> None:
    async def run(request: Request) -> Response:
        request.state.context.log(f"hello {request.state.task.id}, q={request.query_params['q']}")
        return JSONResponse({"body": await request.json(), "type": request.headers["delegate-task-type"]}, 201)

    context = task_context()
    result = await call(app(run), context, {"n": 1})
    assert result.data == {"body": {"id": "t1", "type": "x", "data": {"n": 1}}, "type": "x"}
    assert context.printed() == "hello t1, q=1"


async def test_a_sync_endpoint_and_a_streamed_response_work(task_context: Make) -> None:
    def run(request: Request) -> Response:
        return StreamingResponse(iter(["a", "b", "c"]), media_type="text/plain")

    assert (await call(app(run), task_context())).data == "abc"


async def test_a_status_that_is_no_success_is_a_failure_with_the_apps_words(task_context: Make) -> None:
    async def run(request: Request) -> Response:
        return JSONResponse({"detail": "width is missing"}, 422)

    result = await call(app(run), task_context())
    assert (result.outcome, result.data) == (Outcome.FAILED, {"detail": "width is missing"})
    assert result.error.endswith(": width is missing")
    assert "404" in (await call(Starlette(), task_context())).error


async def test_what_an_app_raises_is_a_failure_with_its_traceback_in_the_log(task_context: Make) -> None:
    async def run(request: Request) -> Response:
        raise ValueError("out of cheese")

    context = task_context()
    assert (await call(app(run), context)).error == "ValueError: out of cheese"
    assert "raise ValueError" in context.printed()


async def test_background_work_belongs_to_the_task_and_its_failure_counts(task_context: Make) -> None:
    def fail() -> None:
        raise ValueError("too late")

    async def run(request: Request) -> Response:
        return PlainTextResponse("done", background=BackgroundTask(fail))

    assert (await call(app(run), task_context())).error == "ValueError: too late"


async def silent(scope: Any, receive: Any, send: Any) -> None: ...


async def half(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def endless(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (silent, "ended without a whole response"),
        (half, "without a whole response"),
        (endless, "more than 5,000 bytes"),
    ],
)
async def test_an_app_that_breaks_the_rules_fails_its_task(task_context: Make, broken: Any, error: str) -> None:
    async def only_http(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await broken(scope, receive, send)

    result = await call(only_http, task_context(), output_limit=5000)
    assert result.outcome is Outcome.FAILED
    assert error in result.error


async def test_the_lifespan_is_the_runners_and_its_state_reaches_each_request(backend: Scripted, bench: Bench) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        told.append("up")
        yield {"pool": "a pool"}
        told.append("down")

    async def run(request: Request) -> Response:
        return JSONResponse({"pool": request.state.pool})

    started = await bench.start({"web": asgi("web", app(run, lifespan=lifespan), path="/run")})
    for number in "ab":
        await backend.offer("web", number)
        assert (await backend.result(number)).data == {"pool": "a pool"}
    assert ",".join(told) == "up"
    started.runner.stop()
    assert await started.ended() is None
    assert told == ["up", "down"]


async def test_an_app_that_cannot_start_ends_the_runner_before_it_registers(backend: Scripted, bench: Bench) -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if app.routes:
            return
        raise RuntimeError("no database")
        yield  # type: ignore[unreachable]  # what makes it a generator

    started = await bench.start({"web": asgi("web", Starlette(lifespan=lifespan))})
    error = await started.ended()
    assert isinstance(error, PluginError)
    assert "the app of handler 'web' cannot start" in str(error)
    assert "no database" in str(error)
    assert backend.registrations == 0


async def test_an_async_app_is_cancelled_where_it_awaits(backend: Scripted, bench: Bench) -> None:
    running, cancelled = anyio.Event(), anyio.Event()

    async def run(request: Request) -> None:
        running.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    started = await bench.start({"web": asgi("web", app(run), path="/run")})
    await backend.offer("web")
    await bench.within(running.wait())
    started.runner.cancel("t")
    assert (await backend.result()).outcome is Outcome.CANCELLED
    assert cancelled.is_set()


async def test_a_sync_endpoint_that_does_not_end_is_left_and_keeps_its_slot(backend: Scripted, bench: Bench) -> None:
    running, go_on = anyio.Event(), threading.Event()

    def run(request: Request) -> Response:
        anyio.from_thread.run_sync(running.set)
        go_on.wait(PATIENCE)
        return Response()

    started = await bench.start({"web": asgi("web", app(run), path="/run")}, grace=0.1)
    await backend.offer("web")
    await bench.within(running.wait())
    started.runner.cancel("t")
    try:
        assert (await backend.result()).outcome is Outcome.CANCELLED
        assert started.runner.slots.used == 1
    finally:
        go_on.set()


def test_what_is_no_app_is_refused() -> None:
    with pytest.raises(PluginError, match="'no app' is no ASGI app"):
        asgi("x", "no app").check()  # type: ignore[arg-type]  # that is the point
