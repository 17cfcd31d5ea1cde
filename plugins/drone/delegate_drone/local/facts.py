"""The build that a local run pretends: from what was chosen, what git knows, and this machine."""

from __future__ import annotations

import platform
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from delegate_core.errors import SettingsError
from delegate_drone.compiler import Facts
from delegate_drone.local.choices import Choices
from delegate_drone.local.git import Checkout, resolve
from delegate_drone.wire import Build, Repository, Stage, System

__all__ = ["Pretence", "pretend", "this_platform"]

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
"""Go's words for machines, where they differ from the kernel's."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_HOST: Final = "localhost"
_PULL_REQUEST = re.compile(r"refs/(pull|pull-requests|merge-requests)/\d+")


@dataclass(frozen=True, slots=True)
class Pretence:
    """The build that all pipelines of a file belong to."""

    build: Build
    repository: Repository
    system: System
    now: int

    def conditions(self) -> dict[str, str]:
        """What conditions are compared with."""
        return self.facts("", "").conditions()

    def facts(
        self,
        name: str,
        type_: str,
        number: int = 1,
        depends_on: tuple[str, ...] = (),
        ended: Mapping[str, str] = _NOTHING,
    ) -> Facts:
        """What the compiler has to know for one pipeline, when others have ended with these statuses."""
        system, architecture = this_platform()
        stage = Stage(
            id=number,
            number=number,
            name=name,
            kind="pipeline",
            type=type_,
            status="running",
            machine=socket.gethostname(),
            os=system,
            arch=architecture,
            started=self.now,
            depends_on=depends_on,
        )
        before = tuple(Stage(name=name, kind="pipeline", status=status) for name, status in ended.items())
        return Facts(
            build=self.build.model_copy(update={"stages": (*before, stage)}),
            repository=self.repository,
            stage=stage,
            system=self.system,
            netrc=None,
        )


def this_platform() -> tuple[str, str]:
    """Operating system and architecture of this machine, in Go's words."""
    machine = platform.machine()
    return platform.system().lower(), _ARCHITECTURES.get(machine, machine)


def pretend(choices: Choices, checkout: Checkout, now: int) -> Pretence:
    """The build of these choices in this checkout.

    Raises:
        SettingsError: what was chosen cannot be in this repository.
    """
    host = choices.instance or _HOST
    system = System(proto="http", host=host, link=f"http://{host}")
    return Pretence(_build(choices, checkout, now), _repository(choices, checkout), system, now)


def _build(choices: Choices, checkout: Checkout, now: int) -> Build:
    branch = choices.branch or checkout.branch
    message = choices.message if choices.message is not None else checkout.message
    return Build(
        id=1,
        number=1,
        status="running",
        event=choices.event,
        title=choices.title,
        message=message,
        before=checkout.parent,
        after=_commit(choices, checkout),
        ref=choices.ref or _default_ref(choices, checkout, branch),
        source=checkout.branch or branch,
        target=branch,
        author_login=checkout.author_name,
        author_name=checkout.author_name,
        author_email=checkout.author_email,
        sender=checkout.author_name,
        cron=choices.cron,
        deploy_to=choices.deploy_to,
        params=choices.params,
        timestamp=now,
        created=now,
        updated=now,
        started=now,
    )


def _default_ref(choices: Choices, checkout: Checkout, branch: str) -> str:
    if choices.event == "tag" and checkout.tag:
        return f"refs/tags/{checkout.tag}"
    if choices.event == "pull_request" and not choices.clone:
        return "refs/pull/1/head"
    return f"refs/heads/{branch}" if branch else ""


def _commit(choices: Choices, checkout: Checkout) -> str:
    """The commit; where it is to be cloned, one that is really there."""
    if not choices.clone:
        return choices.commit or checkout.commit
    if shutil.which("git") is None:
        raise SettingsError("--clone: git is not installed, or not in PATH; leave --clone out to run in place")
    if checkout.root is None:
        raise SettingsError(f"--clone: {checkout.folder} is in no git repository; leave --clone out to run in place")
    branch = f"refs/heads/{choices.branch}" if choices.branch else None
    wanted = choices.commit or (choices.ref if _is_local(choices.ref) else None) or branch
    if not (wanted or checkout.commit):
        raise SettingsError("--clone: the repository has no commit yet")
    return resolve(checkout, wanted) if wanted else checkout.commit


def _is_local(ref: str | None) -> bool:
    return ref is not None and not _PULL_REQUEST.match(ref)


def _repository(choices: Choices, checkout: Checkout) -> Repository:
    slug = choices.repo or checkout.slug
    owner, _, name = slug.partition("/")
    url = str(checkout.root) if choices.clone else checkout.url or str(checkout.root or "")
    return Repository(
        id=1,
        namespace=owner,
        name=name,
        slug=slug,
        scm="git",
        git_http_url=url,
        default_branch=checkout.default_branch or choices.branch or "",
        visibility="public",
        trusted=choices.trusted,
        config_path=choices.file,
        timeout=60,
    )
