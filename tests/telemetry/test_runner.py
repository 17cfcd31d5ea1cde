"""What a real runner sends to a collector, from either control plane."""

from __future__ import annotations

from pathlib import Path

import yaml

from delegate_drone.server import EmbeddedDrone, Order, Rules
from delegate_drone.server.stagelog import stored_lines
from delegate_harness.manager import EmbeddedManager, Submission
from tests.integration.command import PATIENCE, Command, manager_settings
from tests.telemetry.collector import Collector, Seen, collector

_SECRET = "hush-4d81c0a7"
_PLAIN = "said-4d81c0a7"

_STEPS = [
    {"name": "first", "commands": ["echo parent=$TRACEPARENT"]},
    {
        "name": f"step-{_SECRET}",
        "environment": {"TRACEPARENT": "of-the-author", "TOKEN": {"from_secret": "token"}},
        "commands": ["echo parent=$TRACEPARENT", "exit 3"],
    },
    {"name": f"step-{_PLAIN}", "commands": ["echo never"]},
]
_PIPELINE = {"kind": "pipeline", "type": "exec", "name": "build", "clone": {"disable": True}, "steps": _STEPS}

_KEY = "key-77aa01"
_HANDLERS = f"""
import logging
import os
from delegate_core import TaskContext, handler

@handler("look")
async def look(context: TaskContext) -> dict[str, str]:
    logging.getLogger("own").warning("{_KEY} is the key of {_PLAIN}")
    return {{
        "headers": os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "none"),
        "parent": context.environment()["TRACEPARENT"],
        "own": context.environment({{"TRACEPARENT": "mine"}})["TRACEPARENT"],
    }}

@handler("leak")
async def leak(context: TaskContext) -> None:
    raise RuntimeError("cannot log in with {_SECRET} at {_PLAIN}")
"""


def tree(seen: Collector, top: Seen) -> dict[str, set[str]]:
    """The names of the spans below one, by that of the one right above them."""
    found = {top.name: {below.name for below in seen.within(top)}}
    for below in seen.within(top):
        found |= tree(seen, below) if seen.within(below) else {}
    return found


async def test_a_drone_stage_is_one_trace_of_its_steps_and_calls(tmp_path: Path) -> None:
    text = yaml.safe_dump(_PIPELINE).replace("$", "$$")
    run = ("run", "--backend", "drone", "--console", "plain", "--max-tasks", "1", "--status", "off")
    with collector() as seen:
        async with EmbeddedDrone(rules=Rules(long_poll=1.0, match_every=0.2)) as drone:
            build = drone.create(Order(text=text, secrets={"token": _SECRET}, slug="octo/hello"))
            variables = {"DELEGATE_SERVER": drone.url, "DELEGATE_SECRET": drone.keys.rpc}
            async with Command(tmp_path).started(*run, **variables, OTEL_EXPORTER_OTLP_ENDPOINT=seen.url) as runner:
                assert await runner.ended() == 0
            (stage,) = drone.stages_of(build.id)
            logs = {step.name: drone.parts.store.logs.find(step.id) for step in drone.parts.store.steps_of(stage.id)}

    task = seen.span("exec build")
    hidden = "step step-******"
    assert not task.parent
    assert tree(seen, task) == {
        "exec build": {"accept", "details", "stage build", "update_stage"},
        "stage build": {"update_stage", "step first", hidden, f"step step-{_PLAIN}"},
        "step first": {"update_step", "log_write", "log_upload"},
        hidden: {"update_step", "log_write", "log_upload"},
        f"step step-{_PLAIN}": {"update_step"},
    }
    assert {one.trace for one in seen.spans if one.name.startswith(("step", "stage", "update", "accept"))} == {
        task.trace
    }
    why = 'step "step-******" failed with exit code 3'
    assert task.failure == seen.span("stage build").failure == why
    assert (
        task.says.items()
        >= {
            "delegate.task.id": str(stage.id),
            "delegate.task.type": "exec",
            "delegate.task.outcome": "failed",
            "delegate.backend": "drone",
            "delegate.repository": "octo/hello",
            "cicd.pipeline.name": "build",
            "cicd.pipeline.result": "failure",
        }.items()
    )
    assert 0 < task.says["delegate.task.pickup_seconds"] < PATIENCE

    first, failed, skipped = seen.span("step first"), seen.span(hidden), seen.span(f"step step-{_PLAIN}")
    assert (first.failure, failed.failure, skipped.failure) == (None, "exit code 3", None)
    assert (first.says["delegate.step.kind"], first.says["delegate.step.exit_code"]) == ("host", 0)
    assert failed.says["cicd.pipeline.task.run.result"] == "failure"
    assert skipped.says["delegate.step.skipped"] is True
    assert skipped.says["delegate.step.skipped_because"] == why

    call = next(one for one in seen.named("update_step") if one.parent == failed.id)
    assert call.says.items() >= {"http.request.method": "PUT", "http.response.status_code": 200}.items()
    assert call.says["url.full"].startswith(f"{drone.url}/rpc/v2/step/")

    said = {name: "".join(line.out for line in stored_lines(log)) for name, log in logs.items() if log is not None}
    assert f"parent=00-{task.trace}-{first.id}-0" in said["first"]
    assert "parent=of-the-author" in said[_STEPS[1]["name"]]  # type: ignore[index]  # a name

    sent = b"".join(seen.bodies)
    assert _PLAIN.encode() in sent
    assert _SECRET.encode() not in sent

    assert seen.value("delegate_tasks", type="exec", outcome="failed") == 1
    assert seen.value("delegate_log_masked") == 0
    assert seen.resource["service.name"] == "delegate"


async def test_a_harness_task_that_fails_says_why_without_its_secret(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(_HANDLERS)
    run = ("run", "--backend", "harness", "--console", "plain", "--handlers", "own.py", "--max-tasks", "2")
    with collector() as seen:
        async with EmbeddedManager() as manager:
            variables = {
                **manager_settings(manager),
                "OTEL_EXPORTER_OTLP_ENDPOINT": seen.url,
                "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={_KEY}",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
                "OTEL_SERVICE_NAME": "builders",
            }
            async with Command(tmp_path).started(*run, **variables) as runner:
                await runner.said("running")
                looked = await manager.wait_finished(manager.submit(Submission("look")), PATIENCE)
                await manager.wait_finished(manager.submit(Submission("leak", secrets=(_SECRET,))), PATIENCE)
                assert await runner.ended() == 0
            account = manager.account_id

    leak = seen.span("leak")
    assert leak.failure == f"RuntimeError: cannot log in with ****** at {_PLAIN}"
    assert leak.says["delegate.account"] == account
    assert {"acquire", "respond"} <= {one.name for one in seen.within(leak)}
    assert not seen.span("look").failure
    assert {"register", "task_events"} <= {one.name for one in seen.spans if not one.parent}
    sent = b"".join(seen.bodies)
    assert _PLAIN.encode() in sent
    assert _SECRET.encode() not in sent

    assert seen.headers["api-key"] == _KEY
    assert seen.resource["service.name"] == "builders"
    assert f"****** is the key of {_PLAIN}" in runner.text
    assert _KEY not in runner.text
    look = seen.span("look")
    assert looked.outcome is not None
    assert looked.outcome.result is not None
    answer = looked.outcome.result.data
    assert (answer["headers"], answer["own"]) == ("none", "mine")
    assert answer["parent"].startswith(f"00-{look.trace}-{look.id}-0")
