"""What the server says about a stage, as far as compiling it needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from delegate_drone.wire import Build, Details, Netrc, Repository, Stage, System

__all__ = ["Facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The build that a pipeline runs for.

    Args:
        build: the event, its commit and its author; its stages as far as they have come.
        repository: what is built.
        stage: the record of the pipeline that runs.
        system: the server.
        netrc: the account for git; None: the repository is public.
    """

    build: Build = field(default_factory=Build)
    repository: Repository = field(default_factory=Repository)
    stage: Stage = field(default_factory=Stage)
    system: System = field(default_factory=System)
    netrc: Netrc | None = None

    @classmethod
    def of(cls, details: Details) -> Self:
        """What the server answered for a stage that was accepted."""
        return cls(
            build=details.build,
            repository=details.repository,
            stage=details.stage,
            system=details.system,
            netrc=details.netrc,
        )

    def conditions(self) -> dict[str, str]:
        """What ``when`` and ``trigger`` compare with, by the condition's key: ``branch`` is the target branch."""
        return {
            "action": self.build.action,
            "branch": self.build.target,
            "cron": self.build.cron,
            "event": self.build.event,
            "instance": self.system.host,
            "ref": self.build.ref,
            "repo": self.repository.slug,
            "target": self.build.deploy_to,
        }
