"""Where Drone's runners show their dashboard, and to whom: the same variables open and guard ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from delegate_core.cli.loading import load_all
from tests.status.observed import observed

pytestmark = pytest.mark.anyio

_SERVER = {"DRONE_RPC_HOST": "drone.example", "DRONE_RPC_SECRET": "invented"}
_ALL_ELSE = ("/", "/status.json", "/metrics", "/log.json", "/settings.json", "/events", "/tasks/1/log")


async def test_drones_variables_say_where_the_status_is_and_whose_password_opens_it(tmp_path: Path) -> None:
    (tmp_path / "delegate.toml").write_text("")
    given = {
        "DRONE_HTTP_BIND": "127.0.0.2:0",
        "DRONE_UI_USERNAME": "ops",
        "DRONE_UI_PASSWORD": "invented-password",
    }
    settings = load_all(tmp_path / "delegate.toml", {"backend": "drone"}, {**_SERVER, **given}).runner
    chosen: dict[str, Any] = {
        "status": settings.status,
        "status_user": settings.status_user,
        "status_password": settings.status_password,
    }
    async with observed(tmp_path, **chosen) as it:
        assert it.address.url.startswith("http://127.0.0.2:")
        async with httpx.AsyncClient(base_url=it.address.url, trust_env=False) as anybody:
            assert [(await anybody.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]
            assert [(await anybody.get(path)).status_code for path in _ALL_ELSE] == [401] * len(_ALL_ELSE)
            assert (await anybody.post("/pause", json={})).status_code == 401
            assert (await anybody.get("/metrics", auth=("ops", "guessed"))).status_code == 401
            assert (await anybody.get("/metrics", auth=("admin", "invented-password"))).status_code == 401
            assert (await anybody.get("/status.json", auth=("ops", "invented-password"))).status_code == 200
