"""The metrics: what they are called, that they are documented, and what a real runner measures."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from delegate_core.markers import hookimpl
from delegate_core.model import Outcome, Task, TaskResult
from delegate_core.plugins import Plugins
from delegate_core.status import StatusAddress
from delegate_core.status.metrics import Metrics
from delegate_drone.client import DroneClient
from delegate_harness.client import ManagerClient
from delegate_harness.logs import LogService
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission
from tests.core.memory_backend import MemoryServer
from tests.integration.command import Command, manager_settings
from tests.status.observed import observed

_PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text("utf-8")
_SUFFIXES = re.compile(r"_(total|bucket|count|sum|created)$")


def families(text: str) -> Mapping[str, Any]:
    """What Prometheus would make of it, by the names that it would have."""
    found = text_string_to_metric_families(text)
    return {
        f"{one.name}_total" if one.type == "counter" else one.name: one
        for one in found
        if not one.name.endswith("_created")  # the library's own addition to each counter and histogram
    }


def documented() -> Iterator[tuple[str, set[str]]]:
    """Each metric in the page's table, with its labels."""
    for name, labels in re.findall(r"^\| `(delegate_\w+)` \| \w+ \| (.*?) ?\|", _PAGE, re.MULTILINE):
        yield name, set(re.findall(r"`(\w+)`", labels))


async def test_every_metric_is_documented_with_its_labels_and_every_documented_one_is_there(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        it.server.submit("quick")
        await it.until("totals.delivered", 1)
        it.runner.plugins.observe("server_called")(operation="heartbeat", outcome="timeout", seconds=0.1, request=None)
        found = families((await it.client.get("/metrics")).text)
        with anyio.fail_after(40):
            while "delegate_since_heartbeat_seconds" not in found:  # the first one comes after half a second
                await anyio.sleep(0.05)
                found = families((await it.client.get("/metrics")).text)
    shown = {
        name: {label for sample in family.samples for label in sample.labels} - {"le"} for name, family in found.items()
    }
    assert shown == dict(documented())


async def test_names_and_texts_are_as_prometheus_wants_them(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        found = families((await it.client.get("/metrics")).text)
    for name, family in found.items():
        assert re.fullmatch(r"delegate_[a-z_]+", name), name
        assert family.documentation.endswith("."), name
        assert (family.type == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)\b", name), name


class Calls:
    """A plugin that is told of calls."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, float]] = []

    @hookimpl
    def server_called(self, operation: str, outcome: str, seconds: float) -> None:
        self.told.append((operation, outcome, seconds))


def test_a_plugin_is_told_of_calls() -> None:
    calls = Calls()
    tell = Plugins(MemoryServer().backend(), [calls]).observe("server_called")
    tell(operation="poll", outcome="ok", seconds=0.5, request=None)
    assert calls.told == [("poll", "ok", 0.5)]


def test_task_types_without_end_are_one_series() -> None:
    metrics = Metrics("memory", lambda: None)
    for number in range(1000):
        task = Task(id=str(number), type=f"type-{number}")
        metrics.task_claimed(task)
        metrics.task_finished(task, TaskResult(outcome=Outcome.REJECTED), 0.0)
    types = {sample.labels["type"] for sample in families(metrics.text().decode())["delegate_tasks_total"].samples}
    assert len(types) == 201
    assert "other" in types


def calls_of(client: type[object]) -> list[tuple[str, Any]]:
    """Its public methods that call the server."""
    found = inspect.getmembers(client, inspect.iscoroutinefunction)
    return [(name, call) for name, call in found if not name.startswith("_") and name != "aclose"]


@pytest.mark.parametrize("client", [ManagerClient, LogService, DroneClient])
def test_every_call_of_a_client_is_an_operation_that_the_page_names(client: type[object]) -> None:
    source = inspect.getsource(client)
    for name, call in calls_of(client):
        assert hasattr(call, "__wrapped__"), f"{client.__name__}.{name} is no operation"
    for operation in re.findall(r'@operation\("(\w+)"\)', source):
        assert f"`{operation}`" in _PAGE, operation


async def test_a_real_runner_measures_its_calls_and_tells_why_some_failed(tmp_path: Path) -> None:
    delegate = Command(tmp_path)
    run = ("run", "--backend", "harness", "--console", "plain", "--state-dir", str(tmp_path / "s"))
    async with EmbeddedManager() as manager, delegate.started(*run, **manager_settings(manager)) as runner:
        await runner.said("running")
        manager.faults.add(Fault("task-events", FaultKind.STATUS, times=2, status=503))
        await manager.wait_finished(manager.submit(Submission("script", {"commands": ["echo hi"]})))
        address = StatusAddress.of(tmp_path / "s")
        headers = {"Authorization": f"Bearer {address.token}"}
        async with httpx.AsyncClient(base_url=address.url, headers=headers, trust_env=False) as client:
            with anyio.fail_after(40):
                found = families((await client.get("/metrics")).text)
                while not counted(found, "delegate_rpc_duration_seconds", "_count", "respond", "ok"):
                    found = families((await client.get("/metrics")).text)
    assert counted(found, "delegate_rpc_duration_seconds", "_count", "acquire", "ok") == 1
    assert counted(found, "delegate_rpc_duration_seconds", "_count", "register", "ok") == 1
    assert counted(found, "delegate_rpc_errors_total", "_total", "task_events", "5xx") == 2
    operations = {sample.labels["operation"] for sample in found["delegate_rpc_duration_seconds"].samples}
    assert all(re.fullmatch("[a-z_]+", operation) for operation in operations)


def counted(found: Mapping[str, Any], name: str, suffix: str, operation: str, how: str) -> float:
    return sum(
        float(sample.value)
        for sample in found[name].samples
        if sample.name.endswith(suffix) and sample.labels["operation"] == operation and how in sample.labels.values()
    )
