"""Traces and metrics of one runner, sent while it runs. Imports OpenTelemetry."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import anyio
import anyio.from_thread
import anyio.lowlevel
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import Metric

from delegate_core.beside import beside
from delegate_core.model import Task
from delegate_core.telemetry.asked import Asked
from delegate_core.telemetry.delivering import Reasons
from delegate_core.telemetry.exporting import MetricsOut, SpansOut, metrics_out, spans_out
from delegate_core.telemetry.figures import Sender, converted
from delegate_core.telemetry.spans import Tracing

__all__ = ["Telemetry"]

_log = logging.getLogger(__name__)

_NAME: Final = "delegate_core"
_INTERVAL: Final = 60.0

_LAST: Final = 5.0
"""Seconds in which the last spans and metrics may still be sent at the end."""

_LAST_OF_FAILING: Final = 1.0
"""The same where sending had failed before."""


class Telemetry:
    """Sends what is asked for. Tasks never wait for it: it goes out from threads of its own, from bounded queues.

    The exporters read their variables when this is made, ``OTEL_EXPORTER_OTLP_HEADERS`` among them.

    Args:
        asked: what to send.
        environ: of the process.
        backend: name of the control plane's plugin.
        runner: its name.
        shown: a text as it may be shown, without secrets.
        families: what ``/metrics`` shows, at this moment.
    """

    def __init__(
        self,
        asked: Asked,
        environ: Mapping[str, str],
        *,
        backend: str,
        runner: str,
        shown: Callable[[str], str],
        families: Callable[[], Iterable[Metric]],
    ) -> None:
        self._reasons = Reasons()
        self._since = time.time_ns()
        self._families = families
        self._interval = _interval(environ)
        self._resource = _resource(backend, runner)
        self._scope = InstrumentationScope(_NAME, version("delegate-core"))
        self._spans = spans_out(asked, self._reasons)
        self._metrics = metrics_out(asked, self._reasons)
        self._sender = Sender(self._metrics) if self._metrics else None
        self._provider: TracerProvider | None = None
        self._tracing: Tracing | None = None
        if self._spans:
            self._provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
            for out in self._spans:
                self._provider.add_span_processor(BatchSpanProcessor(out))
            tracer = self._provider.get_tracer(_NAME, version("delegate-core"))
            self._tracing = Tracing(tracer, backend=backend, runner=runner, shown=shown)

    @property
    def plugins(self) -> tuple[object, ...]:
        """Give these to the runner."""
        return (self._tracing,) if self._tracing is not None else ()

    @property
    def wants_metrics(self) -> bool:
        """Whether it sends metrics."""
        return self._sender is not None

    def picked_up(self, task: Task, seconds: float) -> None:
        """A task started, so long after its offer."""
        if self._tracing is not None:
            self._tracing.picked_up(task, seconds)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send while the body runs; then the rest, for some seconds."""
        self._reasons.take_over()
        try:
            async with beside(self._keep_sending_metrics):
                yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._finish()

    async def _keep_sending_metrics(self) -> None:
        """Ends by cancellation. They are made here, where the runner is, and sent elsewhere."""
        while self._sender is not None:
            await anyio.sleep(self._interval)
            self._sender.offer(self._now())

    def _now(self) -> MetricsData:
        return converted(self._families(), self._resource, self._scope, self._since)

    async def _finish(self) -> None:
        """Send what is left, in a thread that is left behind, and silent, if that takes too long."""
        if self._tracing is not None:
            self._tracing.close()
        done = self._start_sending_the_last()
        sent = await self._within(_LAST_OF_FAILING, done)
        if not sent and not self._trouble():
            sent = await self._within(_LAST - _LAST_OF_FAILING, done)
        if not sent and not self._failing:
            _log.warning("the last traces and metrics could not be sent: %s", self._trouble() or f"not in {_LAST:g}s")
        self._reasons.silent = True
        for out in self._outs:
            out.shutdown()
        if sent:
            self._reasons.hand_back()

    def _start_sending_the_last(self) -> anyio.Event:
        """What is set once all is sent, or given up."""
        last = self._now() if self._sender is not None else None
        done, token = anyio.Event(), anyio.lowlevel.current_token()

        def send() -> None:
            if self._provider is not None:
                self._provider.shutdown()
            if self._sender is not None and last is not None:
                self._sender.finish(last)
            with suppress(RuntimeError):  # nobody waits any more
                anyio.from_thread.run_sync(done.set, token=token)

        threading.Thread(target=send, name="delegate-last-telemetry", daemon=True).start()
        return done

    @staticmethod
    async def _within(seconds: float, done: anyio.Event) -> bool:
        with anyio.move_on_after(seconds):
            await done.wait()
        return done.is_set()

    def _trouble(self) -> str:
        return self._reasons.present() or ("it failed before" if self._failing else "")

    @property
    def _outs(self) -> tuple[SpansOut | MetricsOut, ...]:
        return (*self._spans, *self._metrics)

    @property
    def _failing(self) -> bool:
        return any(out.delivery is not None and out.delivery.failing for out in self._outs)


def _interval(environ: Mapping[str, str]) -> float:
    try:
        seconds = float(environ.get("OTEL_METRIC_EXPORT_INTERVAL", "")) / 1000
    except ValueError:
        return _INTERVAL
    return seconds if seconds > 0 else _INTERVAL


def _resource(backend: str, runner: str) -> Resource:
    """Who sends: what ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` say wins."""
    host = socket.gethostname()
    own = {
        "service.name": "delegate",
        "service.version": version("delegate-core"),
        "service.instance.id": str(uuid5(NAMESPACE_URL, f"delegate:{host}/{backend}/{runner}")),
        "host.name": host,
        "cicd.worker.name": runner,
        "delegate.backend": backend,
    }
    return Resource.create({**own, **OTELResourceDetector().detect().attributes})
