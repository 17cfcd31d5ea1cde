"""What is sent over OpenTelemetry, as ``delegate doctor`` sees it."""

from __future__ import annotations

import pytest

from tests.doctor.examining import Examine
from tests.telemetry.collector import collector

pytestmark = pytest.mark.anyio

_SERVER = "http://127.0.0.1:9"


async def test_a_collector_is_asked_to_take_nothing(examine: Examine) -> None:
    with collector() as seen:
        found = await examine.drone(
            _SERVER, OTEL_EXPORTER_OTLP_ENDPOINT=seen.url, OTEL_EXPORTER_OTLP_HEADERS="api-key=k"
        )
    assert found.text("telemetry") == f"it takes traces to {seen.url}/v1/traces and metrics to {seen.url}/v1/metrics"
    assert seen.headers["api-key"] == "k"
    assert not seen.spans


async def test_one_that_refuses_is_no_more_than_a_warning(examine: Examine) -> None:
    with collector() as seen:
        seen.status = 403
        found = await examine.drone(_SERVER, OTEL_EXPORTER_OTLP_ENDPOINT=seen.url)
    assert found.status("telemetry") == "warning"
    assert f"no collector at {seen.url}/v1/traces: 403, reason: Forbidden" in found.text("telemetry")


async def test_what_cannot_be_sent_is_a_warning(examine: Examine) -> None:
    found = await examine.drone(_SERVER, OTEL_TRACES_EXPORTER="zipkin")
    assert found.status("telemetry") == "warning"
    assert "OTEL_TRACES_EXPORTER='zipkin' is none of otlp, console, none" in found.text("telemetry")
