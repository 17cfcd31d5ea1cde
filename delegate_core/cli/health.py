"""``delegate health``: one question to a running runner, answered by the exit status."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Literal

import typer

from delegate_core.cli.folders import folder_of
from delegate_core.cli.running import in_event_loop
from delegate_core.status import StatusAddress
from delegate_core.status.client import Health, RemoteStatus, Target, target

__all__ = ["ask_health"]


def ask_health(
    url: str | None,
    state_dir: Path | None,
    backend: str | None,
    name: str | None,
    *,
    page: Literal["healthz", "readyz"],
) -> int:
    """Print what it says of itself. Returns the exit status: 0 when it is well, else 1."""
    where = target(url, os.environ) if url else Target(StatusAddress.of(folder_of(state_dir, backend, name)).url)
    health = in_event_loop(partial(_ask, where, page))
    typer.echo(health.text)
    return 0 if health.well else 1


async def _ask(where: Target, page: Literal["healthz", "readyz"]) -> Health:
    async with RemoteStatus(where) as remote:
        return await remote.health(page)
