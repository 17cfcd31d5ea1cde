"""Whether what is sent over OpenTelemetry arrives."""

from __future__ import annotations

import anyio.to_thread

from delegate_core.diagnosis import Finding
from delegate_core.telemetry import Asked

__all__ = ["telemetry"]


async def telemetry(asked: Asked) -> Finding:
    """Ask the collector to take nothing. A runner works without it, so that nothing here is more than a warning."""
    if asked.problems:
        return Finding.warning(" | ".join(asked.problems), "correct or remove these variables")
    from delegate_core.telemetry.exporting import reach  # noqa: PLC0415 - an extra, imported where it is asked for

    trouble = await anyio.to_thread.run_sync(reach, asked, abandon_on_cancel=True)
    if trouble:
        return Finding.warning(
            f"no collector at {trouble}", "correct OTEL_EXPORTER_OTLP_ENDPOINT, or start a collector"
        )
    where = " and ".join(f"{signal.name} to {signal.endpoint or 'standard error'}" for signal in asked.signals)
    return Finding.ok(f"it takes {where}" if any(signal.otlp for signal in asked.signals) else where)
