"""A plugin that brings the doctor something that is no check."""

from __future__ import annotations

from delegate_core.markers import hookimpl


@hookimpl
def diagnostics() -> list[object]:
    return [1]
