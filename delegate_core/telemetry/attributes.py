"""What the spans say, by the names of OpenTelemetry's semantic conventions where it has any, else by ours.

A task is a pipeline run to those conventions, and a step a task run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from delegate_core.http import Request
from delegate_core.model import Outcome, StepReport, Task, TaskResult

__all__ = ["Attributes", "of_call", "of_result", "of_step", "of_step_end", "of_task", "step_failure"]

Attributes = dict[str, str | int | float | bool]

_RESULTS: Final[Mapping[Outcome, str]] = {
    Outcome.SUCCEEDED: "success",
    Outcome.FAILED: "failure",
    Outcome.TIMED_OUT: "timeout",
    Outcome.CANCELLED: "cancellation",
    Outcome.REJECTED: "error",
}

_STEP_RESULTS: Final[Mapping[str, str]] = {
    "success": "success",
    "failure": "failure",
    "error": "error",
    "killed": "cancellation",
    "skipped": "skip",
}

_ABOUT: Final[Mapping[str, str]] = {"pipeline": "cicd.pipeline.name"}


def of_task(task: Task, backend: str, runner: str) -> Attributes:
    """What is known of a task from its claim on."""
    about = {_ABOUT.get(name, f"delegate.{name}"): value for name, value in task.about.items()}
    return {
        "cicd.pipeline.run.id": task.id,
        "cicd.worker.name": runner,
        "delegate.backend": backend,
        "delegate.task.id": task.id,
        "delegate.task.type": task.type,
        **({"delegate.task.title": task.title} if task.title else {}),
        **about,
    }


def of_result(result: TaskResult) -> Attributes:
    """How it ended."""
    return {
        "cicd.pipeline.result": _RESULTS[result.outcome],
        "delegate.task.outcome": result.outcome.value,
        **({} if result.outcome is Outcome.SUCCEEDED else {"error.type": result.outcome.value}),
        **({"delegate.task.cause": result.cause.value} if result.cause else {}),
    }


def of_step(step: StepReport) -> Attributes:
    """What is known of a step from its beginning on."""
    image = str(step.detail.get("image") or "")
    return {
        "cicd.pipeline.task.name": step.name,
        "delegate.step.number": step.number,
        "delegate.step.kind": _kind(step, image),
        "delegate.step.detached": bool(step.detail.get("detached")),
        **({"delegate.step.image": image} if image else {}),
    }


def _kind(step: StepReport, image: str) -> str:
    """Where it runs: a task of a handler that has one step says nothing of images."""
    return "container" if image else "host" if "image" in step.detail else "handler"


def of_step_end(step: StepReport) -> Attributes:
    """How it ended."""
    skipped = step.status == "skipped"
    because = str(step.detail.get("skipped_because") or "")
    return {
        "cicd.pipeline.task.run.result": _STEP_RESULTS.get(step.status, step.status),
        "delegate.step.status": step.status,
        "delegate.step.skipped": skipped,
        **({} if skipped else {"delegate.step.exit_code": step.exit_code}),
        **({"delegate.step.skipped_because": because} if because else {}),
    }


def step_failure(step: StepReport) -> str:
    """Why it went wrong; empty where it did not."""
    if step.status in {"success", "skipped", "running", "pending"}:
        return ""
    return step.error or f"exit code {step.exit_code}"


def of_call(operation: str, outcome: str, request: Request | None) -> Attributes:
    """A call to the server, as HTTP clients' spans say it."""
    found: Attributes = {"delegate.operation": operation}
    if outcome != "ok":
        found["error.type"] = outcome
    if request is None:
        return found
    parts = urlsplit(request.url)
    found["http.request.method"] = request.method
    found["server.address"] = parts.hostname or ""
    found["server.port"] = parts.port or (443 if parts.scheme == "https" else 80)
    found["url.full"] = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if request.status is not None:
        found["http.response.status_code"] = request.status
        if outcome != "ok" and request.status >= 400:
            found["error.type"] = str(request.status)
    return found
