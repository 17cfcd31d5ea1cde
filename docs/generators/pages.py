"""Which pages and pictures are made from the code, and what makes each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs import hook_reference
from docs.generators import commands, exit_codes, metrics, python_api, schemas, settings, status_json, wire
from docs.pictures import architecture, live_view, runner_states, task_life

__all__ = ["DOCS", "PAGES"]

DOCS = Path(__file__).parents[1]

_REFERENCE = DOCS / "reference"
_PICTURES = DOCS / "pictures"

PAGES: Mapping[Path, Callable[[], str]] = {
    hook_reference.PAGE: hook_reference.page,
    _REFERENCE / "commands.md": commands.page,
    _REFERENCE / "settings.md": settings.page,
    _REFERENCE / "metrics.md": metrics.page,
    _REFERENCE / "exit-codes.md": exit_codes.page,
    _REFERENCE / "status-json.md": status_json.page,
    _REFERENCE / "protocols.md": wire.page,
    _REFERENCE / "python.md": python_api.page,
    _REFERENCE / "delegate.schema.json": schemas.of_settings,
    _REFERENCE / "status.schema.json": schemas.of_status,
    _PICTURES / "live-view.svg": live_view.picture,
    _PICTURES / "live-view-task.svg": live_view.picture_of_a_task,
    _PICTURES / "architecture.svg": architecture.picture,
    _PICTURES / "runner-states.svg": runner_states.picture,
    _PICTURES / "task-life.svg": task_life.picture,
}
