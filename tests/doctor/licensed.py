"""A plugin that has something for the doctor to look at."""

from __future__ import annotations

from delegate_core.diagnosis import Check, Diagnosis, Finding
from delegate_core.markers import hookimpl


@hookimpl
def diagnostics(diagnosis: Diagnosis) -> list[Check]:
    async def licence() -> Finding:
        return Finding.warning(f"3 days, for {diagnosis.settings.capacity} tasks", "buy another")

    async def shell() -> Finding:
        raise RuntimeError("boom")

    return [Check(name="licence", run=licence), Check(name="shell", run=shell)]
