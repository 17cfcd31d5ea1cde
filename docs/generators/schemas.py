"""JSON schemas: of the settings file and of the status."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

from delegate_core.cli.config import schema
from delegate_core.status.report import SCHEMA_VERSION, StatusReport

__all__ = ["of_settings", "of_status"]


def of_settings() -> str:
    """What ``delegate config schema`` prints where both backends and the container engine are installed."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        schema()
    return printed.getvalue()


def of_status() -> str:
    """Of ``/status.json``."""
    made = StatusReport.model_json_schema(mode="serialization")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"status.json, version {SCHEMA_VERSION}",
    }
    return json.dumps({**made, **head}, indent=2) + "\n"
