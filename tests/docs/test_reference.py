"""The pages that are made from the code: current, and true of the servers that they speak of."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from starlette.routing import Match, Route

import delegate_core
from delegate_drone.server.rules import Rules
from delegate_drone.server.server import EmbeddedDrone
from delegate_harness.manager.app import Parts, build_app
from delegate_harness.manager.state import ManagerState
from docs.generators import metrics, wire
from docs.generators.pages import DOCS, PAGES

HARNESS = [*wire.calls_of("delegate_harness.client"), *wire.calls_of("delegate_harness.logs")]
DRONE = wire.calls_of("delegate_drone.client")


def address(call: wire.Call) -> str:
    """The call's path with something put in everywhere."""
    return re.sub(r"\{\w+\}", "1", call.path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_is_what_the_code_says_now(page: Path) -> None:
    assert page.read_text("utf-8") == PAGES[page](), "run `make reference`"


def test_every_call_of_a_client_is_found() -> None:
    assert len({(call.method, call.path) for call in HARNESS}) >= 15
    assert len({(call.method, call.path) for call in DRONE}) >= 10
    assert all(call.text.endswith(".") for call in (*HARNESS, *DRONE))


@pytest.mark.parametrize("call", HARNESS, ids=lambda call: f"{call.method} {call.path}")
def test_the_embedded_manager_has_each_call(call: wire.Call) -> None:
    routes = build_app(Parts.around(ManagerState(clock=lambda: 0.0))).routes
    path = address(call) if call.path.startswith("/api") else f"/log-service{address(call)}"
    scope = {"type": "http", "method": call.method, "path": path, "headers": []}
    assert any(isinstance(route, Route) and route.matches(scope)[0] is Match.FULL for route in routes)


async def test_the_embedded_drone_server_has_each_call(tmp_path: Path) -> None:
    async with EmbeddedDrone(tmp_path, rules=Rules(long_poll=0.01)) as server, httpx.AsyncClient() as client:
        for call in DRONE:
            url = f"{server.url}/rpc/v2{address(call)}"
            reply = await client.request(call.method, url, headers={"X-Drone-Token": server.keys.rpc})
            assert reply.status_code != 405, call
            assert "page not found" not in reply.text, call


def test_every_metric_says_what_it_is() -> None:
    shown = metrics.families()
    assert len(shown) > 20
    assert all(family.documentation.endswith(".") for family, _ in shown)


def test_every_public_name_is_on_the_page_of_python() -> None:
    page = (DOCS / "reference" / "python.md").read_text("utf-8")
    assert [name for name in delegate_core.__all__ if f"### {name}\n" not in page and f"`{name}`" not in page] == []
