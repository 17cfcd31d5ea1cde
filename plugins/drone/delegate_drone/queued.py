"""What waits on a Drone server, as its users' interface lists it, beside what a runner asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from pydantic import TypeAdapter, ValidationError

from delegate_core.diagnosis import Finding
from delegate_core.http import Transport
from delegate_drone.wire import Filter, Stage

__all__ = ["Queue", "QueueClosed", "obstacle"]

_STAGES: Final = TypeAdapter(tuple[Stage, ...])
_SHOWN: Final = 3


class QueueClosed(Exception):
    """The server does not show its queue to this token."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The stages that wait for a runner."""

    waiting: tuple[Stage, ...]

    @classmethod
    async def ask(cls, transport: Transport, address: str, token: str, *, timeout: float) -> Self:  # noqa: ASYNC109 - the transport bounds it
        """``GET /api/queue``, which changes nothing: pending and running stages, to admins only.

        Raises:
            QueueClosed: it is not shown, or not in words that are known.
            TransportError: there is no answer.
        """
        headers = {"Authorization": f"Bearer {token}"}
        reply = await transport.request("GET", f"{address}/api/queue", headers=headers, timeout=timeout)
        if reply.status != 200:
            raise QueueClosed(f"the server does not show its queue to DRONE_TOKEN (status {reply.status})")
        try:
            stages = _STAGES.validate_json(reply.body)
        except ValidationError:
            raise QueueClosed("the server shows no queue that this version can read") from None
        return cls(tuple(each for each in stages if each.status == "pending" and not each.machine))

    def finding(self, filters: Sequence[Filter]) -> Finding:
        """Whether any of them would come to a runner that asks for these."""
        if not self.waiting:
            return Finding.ok("no stage waits on the server")
        fit = [stage for stage in self.waiting if any(not obstacle(stage, each) for each in filters)]
        if fit:
            return Finding.ok(f"{len(fit)} of {len(self.waiting)} stages that wait on the server are for this runner")
        reasons = [f"stage {each.id} of build {each.build_id} {_why(each, filters)}" for each in self.waiting[:_SHOWN]]
        more = f" and {len(self.waiting) - _SHOWN} more" if len(self.waiting) > _SHOWN else ""
        return Finding.warning(
            f"{len(self.waiting)} stages wait on the server and none is for this runner: {'; '.join(reasons)}{more}",
            "change this runner's platform or labels, or the pipeline's platform and node, or start another runner",
        )


def _why(stage: Stage, filters: Sequence[Filter]) -> str:
    """The obstacle of the filter that comes nearest: one of the same type, where there is one."""
    nearest = next((each for each in filters if each.type == (stage.type or "docker")), None)
    if nearest is None:
        return f"is of type {stage.type or 'docker'}, which nothing here serves"
    return obstacle(stage, nearest)


def obstacle(stage: Stage, wanted: Filter) -> str:
    """Why the server does not offer a stage to who asks for this; empty where it does.

    Its rules: kind and type are equal; a platform is compared where one is asked for, variant and kernel only where the
    stage names them; labels are the same on both sides.
    """
    if (stage.kind or "pipeline") != wanted.kind or (stage.type or "docker") != wanted.type:
        return f"is a {stage.kind or 'pipeline'} of type {stage.type or 'docker'}"
    asks_platform = any((wanted.os, wanted.arch, wanted.variant, wanted.kernel))
    for name in ("os", "arch", "variant", "kernel") if asks_platform else ():
        theirs, ours = getattr(stage, name), getattr(wanted, name)
        if theirs != ours and (theirs or name in {"os", "arch"}):
            return f"asks for {name} {theirs or 'none'}, and this runner for {ours or 'none'}"
    if dict(stage.labels or {}) != dict(wanted.labels):
        return f"has the labels {_said(stage.labels)}, and this runner {_said(wanted.labels)}"
    return ""


def _said(labels: object) -> str:
    pairs = labels if isinstance(labels, dict) else {}
    return " ".join(f"{name}={value}" for name, value in sorted(pairs.items())) or "none"
