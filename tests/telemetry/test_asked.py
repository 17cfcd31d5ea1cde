"""What the OTEL_* variables ask for."""

from __future__ import annotations

import pytest

from delegate_core.telemetry import asked, secrets_of

_BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
_COLLECTOR = {_BASE: "http://collector.example:4318"}


def test_without_variables_nothing_is_sent() -> None:
    assert not asked({})
    assert not asked({}).problems


def test_an_endpoint_asks_for_traces_and_metrics() -> None:
    found = asked(_COLLECTOR)
    assert found.traces.endpoint == "http://collector.example:4318/v1/traces"
    assert found.metrics.endpoint == "http://collector.example:4318/v1/metrics"
    assert found.traces.because == _BASE


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({**_COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, "metrics"),
        ({**_COLLECTOR, "OTEL_METRICS_EXPORTER": "none"}, "traces"),
        ({**_COLLECTOR, "OTEL_SDK_DISABLED": "TRUE"}, ""),
        ({**_COLLECTOR, "OTEL_SDK_DISABLED": "false"}, "traces metrics"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector.example/traces"}, "traces"),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, "metrics"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "traces"),
        ({"OTEL_TRACES_EXPORTER": " otlp , console "}, "traces"),
        ({"OTEL_TRACES_EXPORTER": "", **_COLLECTOR}, "traces metrics"),
        ({"OTEL_SERVICE_NAME": "builder"}, ""),
    ],
)
def test_what_is_sent(variables: dict[str, str], sent: str) -> None:
    found = asked(variables)
    assert [signal.name for signal in found.signals] == sent.split()
    assert not found.problems


def test_a_signals_own_endpoint_is_taken_as_it_is() -> None:
    found = asked({**_COLLECTOR, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://other.example/in/"})
    assert found.traces.endpoint == "https://other.example/in"
    assert found.metrics.endpoint == "http://collector.example:4318/v1/metrics"


def test_no_password_of_an_endpoint_is_shown() -> None:
    found = asked({_BASE: "https://user:hush@collector.example/otlp?key=hush"})
    assert found.traces.endpoint == "https://collector.example/otlp/v1/traces"
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER='zipkin' is none of otlp, console, none; no traces are sent",
        ),
        (
            {**_COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            (
                "OTEL_EXPORTER_OTLP_PROTOCOL='grpc' is not spoken: set it to http/protobuf, mostly at port 4318; "
                "no traces and no metrics are sent"
            ),
        ),
        (
            {_BASE: "collector.example:4318"},
            f"{_BASE} is no address: write it as http://collector.example:4318; no traces and no metrics are sent",
        ),
        (
            {_BASE: "http://[::1", "OTEL_METRICS_EXPORTER": "none"},
            f"{_BASE} is no address: write it as http://collector.example:4318; no traces are sent",
        ),
    ],
)
def test_what_cannot_be_done_is_off_and_said(variables: dict[str, str], problem: str) -> None:
    found = asked(variables)
    assert found.problems == (problem,)
    assert not found


def test_a_protocol_of_one_signal_is_for_that_one() -> None:
    found = asked(
        {**_COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}
    )
    assert [signal.name for signal in found.signals] == ["traces"]


def test_the_secrets_in_headers_are_known() -> None:
    assert set(secrets_of({"OTEL_EXPORTER_OTLP_HEADERS": "api-key=hush%20hush, tenant=acme"})) >= {"hush hush", "acme"}
