"""Traces as they are sent while things go wrong: the collector refuses, tasks are cut short, calls come to nothing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span

from delegate_core.concern import concerning
from delegate_core.http import Request
from delegate_core.model import Outcome, StageStarted, StepEnded, StepReport, StepStarted, Task, TaskResult
from delegate_core.telemetry import asked
from delegate_core.telemetry.spans import Tracing
from delegate_core.telemetry.telemetry import Telemetry
from tests.telemetry.collector import Collector, collector

_TASK = Task(id="t", type="exec", about={"pipeline": "build"})
_STEP = StepReport(1, "compile", "running", detail={"image": ""})


@asynccontextmanager
async def traced(
    seen: Collector, monkeypatch: pytest.MonkeyPatch, *, url: str = "", **variables: str
) -> AsyncIterator[Tracing]:
    """The plugin of a runner that sends to this collector."""
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url or seen.url,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        **variables,
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    telemetry = Telemetry(asked(environ), environ, backend="memory", runner="r", shown=str, families=list)
    (tracing,) = telemetry.plugins
    assert isinstance(tracing, Tracing)
    async with telemetry.sending():
        yield tracing


def call(tracing: Tracing, operation: str = "ping", outcome: str = "ok", status: int = 200) -> None:
    request = Request("POST", f"http://user:hush@server.example/{operation}", status)
    tracing.server_called(operation, outcome, 0.5, request)


async def test_a_collector_that_refuses_is_told_of_once_and_once_more_when_it_takes_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with collector() as seen:
        seen.status = 401
        async with traced(seen, monkeypatch) as tracing:
            for number in range(1, 4):
                call(tracing)
                await seen.until(partial(seen.has, number))
            seen.status = 200
            call(tracing, "pong")
            await seen.until(lambda: seen.named("pong"))
    refused, taken = (record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)
    where = f"{seen.url}/v1/traces"
    assert refused.startswith(f"traces cannot be sent to {where}: 401, reason: Unauthorized; tasks go on without")
    assert taken == f"traces are sent again to {where}; 3 were lost"
    assert all(record.exc_info is None for record in caplog.records)


async def test_all_that_the_library_says_is_shown_to_who_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "opentelemetry"), collector() as seen:
        seen.status = 401
        async with traced(seen, monkeypatch) as tracing:
            call(tracing)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry.")]
    assert "Failed to export spans batch code: 401, reason: Unauthorized" in said


async def test_nobody_at_the_collectors_address_is_said_shortly_and_keeps_nobody_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with collector() as seen:
        url = seen.url
    with anyio.fail_after(40):
        async with traced(seen, monkeypatch, url=url, OTEL_EXPORTER_OTLP_TIMEOUT="1.5") as tracing:
            call(tracing)
            while not caplog.records:  # noqa: ASYNC110 - the log has no event
                await anyio.sleep(0.02)
    (record,) = caplog.records
    assert f"traces cannot be sent to {url}/v1/traces: Connection refused; tasks go on" in record.getMessage()


async def test_a_call_says_what_http_clients_say_and_no_secret_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as seen:
        async with traced(seen, monkeypatch) as tracing:
            call(tracing, outcome="5xx", status=503)
    span = seen.span("ping")
    assert span.failure == "5xx"
    assert dict(span.says) == {
        "delegate.operation": "ping",
        "error.type": "503",
        "http.request.method": "POST",
        "http.response.status_code": 503,
        "server.address": "server.example",
        "server.port": 80,
        "url.full": "http://server.example/ping",
    }
    assert round(span.seconds, 3) == 0.5
    assert span.span.kind == 3  # a client's
    assert b"hush" not in b"".join(seen.bodies)


async def test_a_task_that_the_runner_leaves_behind_ends_its_spans_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collector() as seen:
        async with traced(seen, monkeypatch) as tracing:
            tracing.task_claimed(_TASK)
            tracing.task_started(_TASK)
            tracing.task_progressed(_TASK, StageStarted((_STEP,)))
            tracing.task_progressed(_TASK, StepStarted(_STEP))
    why = "the runner left; its next start says what became of the task"
    assert seen.span("step compile").failure == why
    assert seen.span("stage build").failure == why
    assert seen.span("exec build").failure == why


async def test_no_secret_of_a_task_is_in_its_spans_from_its_claim_on(monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"pipeline": "hush-77", "repository": "octo/hush-77", "event": "said-77"}
    task = Task(id="t", type="hush-77", title="of hush-77", about=about, masks=("hush-77",))
    step = StepReport(1, "hush-77", "failure", error="hush-77 is wrong", detail={"image": "registry/hush-77"})
    with collector() as seen:
        async with traced(seen, monkeypatch) as tracing:
            tracing.task_claimed(task)
            tracing.task_progressed(task, StageStarted((step,)))
            tracing.task_progressed(task, StepStarted(step))
            tracing.task_progressed(task, StepEnded(step))
            tracing.task_finished(task, TaskResult.failed("hush-77 again"), 0.1)
    sent = b"".join(seen.bodies)
    assert b"hush-77" not in sent
    assert b"said-77" in sent
    assert seen.span("step ******").failure == "****** is wrong"
    assert seen.span("****** ******").failure == "****** again"


async def test_a_step_whose_end_is_told_twice_is_one_span(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as seen:
        async with traced(seen, monkeypatch) as tracing:
            tracing.task_claimed(_TASK)
            tracing.task_progressed(_TASK, StepStarted(_STEP))
            tracing.task_progressed(_TASK, StepEnded(_STEP))
            tracing.task_progressed(_TASK, StepEnded(_STEP))
    assert len(seen.named("step compile")) == 1


async def test_a_process_goes_on_with_the_span_of_its_step_or_of_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    other = StepReport(2, "test", "running")
    with collector() as seen:
        async with traced(seen, monkeypatch) as tracing:
            tracing.task_claimed(_TASK)
            given = [tracing.task_environment(_TASK, "")]
            tracing.task_progressed(_TASK, StepStarted(_STEP))
            given.append(tracing.task_environment(_TASK, ""))
            tracing.task_progressed(_TASK, StepStarted(other))
            given += [tracing.task_environment(_TASK, ""), tracing.task_environment(_TASK, "test")]
            tracing.task_finished(_TASK, TaskResult.succeeded(), 0.1)
    parents = [variables["TRACEPARENT"].split("-")[2] for variables in given]
    task, compiling, testing = (seen.span(name).id for name in ("exec build", "step compile", "step test"))
    assert parents == [task, compiling, task, testing]


async def test_calls_for_a_task_are_in_its_trace_before_it_is_ours_and_after_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collector() as seen:
        async with traced(seen, monkeypatch) as tracing:
            with concerning(task="other"):
                call(tracing, "lost")
            with concerning(task="t"):
                call(tracing, "acquire")
                tracing.task_claimed(_TASK)
                tracing.task_started(_TASK)
                tracing.task_finished(_TASK, TaskResult.succeeded(), 0.1)
                call(tracing, "report")
                assert not tracing.task_environment(_TASK, "")
    task = seen.span("exec build")
    assert {one.name for one in seen.within(task)} == {"acquire", "report"}
    assert task.span.start_time_unix_nano == seen.span("acquire").span.start_time_unix_nano
    assert not seen.span("lost").parent
    assert seen.span("lost").trace != task.trace


async def test_a_task_of_an_earlier_life_has_a_trace_from_its_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as seen:
        async with traced(seen, monkeypatch) as tracing:
            tracing.task_started(_TASK)
            tracing.task_finished(_TASK, TaskResult.timed_out(3), 3.0)
    task = seen.span("exec build")
    assert task.says["delegate.task.recovered"] is True
    assert task.says["cicd.pipeline.result"] == "timeout"
    assert task.failure == "timed out after 3s"


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["claimed", "started", "stage", "step", "ended", "call", "finished"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["compile", "test"]),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(_EVENTS)
def test_whatever_it_is_told_in_whatever_order_every_span_ends_once(events: list[tuple[str, str, str]]) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    begun: list[int] = []
    tracer = provider.get_tracer("test")
    start = tracer.start_span

    def starting(*args: Any, **named: Any) -> Span:
        begun.append(1)
        return start(*args, **named)

    tracer.start_span = starting  # type: ignore[method-assign]
    tracing = Tracing(tracer, backend="memory", runner="r", shown=str)
    for what, task_id, step_name in events:
        task, step = Task(id=task_id, type="exec"), StepReport(1, step_name, "success")
        with concerning(task=task_id, step=step_name):
            match what:
                case "claimed":
                    tracing.task_claimed(task)
                case "started":
                    tracing.task_started(task)
                case "stage":
                    tracing.task_progressed(task, StageStarted((step,)))
                case "step":
                    tracing.task_progressed(task, StepStarted(step))
                case "ended":
                    tracing.task_progressed(task, StepEnded(step))
                case "call":
                    call(tracing)
                case _:
                    tracing.task_finished(task, TaskResult(outcome=Outcome.FAILED), 1.0)
    tracing.close()
    ended = exporter.get_finished_spans()
    assert len(ended) == len(begun) == len({span.context.span_id for span in ended if span.context})
