"""Fetch one commit of a git repository, and build it."""

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread

from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.manifest import total_size
from delegate_core.artifacts.site import Site
from delegate_core.artifacts.sources import GitRepository
from delegate_core.backoff import Backoff
from delegate_core.processes import ProcessSpec, ProcessStartError
from delegate_core.settings.secretfrom import text_of

__all__ = ["Checkout"]

_TRIES = 4
_LASTING = re.compile(
    r"authentication failed|permission denied|could not read (username|password)|not found|does not exist"
    r"|not appear to be a git repository|host key verification failed|terminal prompts disabled|invalid username",
    re.IGNORECASE,
)
"""What git says where trying again would not help."""

_NOT_SINGLY = re.compile(r"not our ref|unadvertised object|no such remote ref|couldn't find remote ref", re.IGNORECASE)
"""What a server says that gives out branches only."""

_ASKPASS = """#!/bin/sh
case "$1" in
Username*) printf '%s\\n' "$DELEGATE_GIT_USERNAME" ;;
*) printf '%s\\n' "$DELEGATE_GIT_PASSWORD" ;;
esac
"""


@dataclass(slots=True)
class Checkout:
    """One checkout of one repository, into an empty folder.

    Attributes:
        source: which repository and commit.
        site: the task that it is done for.
        folder: where to.
        pauses: between tries.
    """

    source: GitRepository
    site: Site
    folder: Path
    pauses: Backoff = field(default_factory=lambda: Backoff(first=0.5, most=10.0))

    async def make(self) -> None:
        """Fetch, check out, check that it is the commit, build, and drop git's own folder.

        Raises:
            ArtifactError: it cannot be had, is too large, or does not build.
            SecretUnavailable: the password cannot be read.
        """
        environment = await self._environment()
        self.site.log(f"fetching {self.source.git} at {self.source.commit[:12]}")
        await self._git(["init", "--quiet"], environment)
        if not await self._fetched(self.source.commit, environment, shallow=True):
            self.site.log("the server gives out no single commit: fetching all" + self._of_ref())
            if not await self._fetched(self.source.ref, environment, shallow=False):
                raise ArtifactError(f"{self.source.git} has no {self.source.ref}")
        await self._check_out(environment)
        await anyio.to_thread.run_sync(shutil.rmtree, self.folder / ".git")
        await self._build()
        size = await anyio.to_thread.run_sync(total_size, self.folder)
        if size > self.source.size_limit:
            raise ArtifactError(f"{self.source.git}: the checkout has {size:,} bytes; raise size_limit if it may")

    def _of_ref(self) -> str:
        return f" of {self.source.ref}" if self.source.ref else " branches and tags"

    async def _fetched(self, what: str | None, environment: dict[str, str], *, shallow: bool) -> bool:
        """Fetch, with tries; False where the server does not give it out."""
        wanted = [what] if what else ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        depth = ["--depth=1"] if shallow else []
        for number in range(1, _TRIES + 1):
            arguments = ["fetch", "--quiet", "--no-tags", "--update-head-ok", *depth, "--", self.source.git, *wanted]
            status, said = await self._run(arguments, environment)
            if status == 0:
                return True
            if _NOT_SINGLY.search(said):
                return False
            if _LASTING.search(said) or number == _TRIES:
                raise ArtifactError(f"cannot fetch {self.source.git}: {_words(said, status)}{self._hint(said)}")
            pause = self.pauses.next()
            self.site.log(f"git: {_words(said, status)}; trying again in {pause:.1f}s ({number + 1} of {_TRIES})")
            await anyio.sleep(pause)
        return False

    def _hint(self, said: str) -> str:
        if re.search(r"authentication|could not read (username|password)|permission denied", said, re.IGNORECASE):
            return "; give username and password, or ssh_key"
        return ""

    async def _check_out(self, environment: dict[str, str]) -> None:
        commit = self.source.commit
        status, said = await self._run(["checkout", "--quiet", "--detach", commit, "--"], environment)
        if status != 0:
            raise ArtifactError(f"{self.source.git} has no commit {commit}: {_words(said, status)}")
        _, head = await self._run(["rev-parse", "HEAD"], environment)
        if head.strip() != commit:
            raise ArtifactError(f"{self.source.git}: checked out {head.strip()[:80]!r} instead of {commit}")

    async def _git(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        status, said = await self._run(arguments, environment)
        if status != 0:
            raise ArtifactError(f"git {arguments[0]}: {_words(said, status)}")

    async def _run(self, arguments: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
        """Run git; its status, and what it printed, the end of it where that is long."""
        said = bytearray()

        def keep(data: bytes, _stream: str) -> None:
            said.extend(data)
            del said[:-16384]

        spec = ProcessSpec(argv=["git", *arguments], cwd=self.folder, env=environment)
        try:
            ended = await self.site.run(spec, on_output=keep)
        except ProcessStartError as error:
            raise ArtifactError(f"{error} A git repository needs git on this machine.") from None
        return ended.exit_code, self.site.masked(said.decode(errors="replace"))

    async def _build(self) -> None:
        if not self.source.build:
            return
        script = "\n".join(self.source.build)
        self.site.log(f"building it: {'; '.join(self.source.build)}")
        spec = ProcessSpec(argv=["/bin/sh", "-ec", script], cwd=self.folder, env=self.site.environment())
        ended = await self.site.run(spec)
        if ended.exit_code != 0:
            raise ArtifactError(f"{self.source.git} at {self.source.commit[:12]}: build exited with {ended.exit_code}")

    async def _environment(self) -> dict[str, str]:
        """Git asks nobody, reads no configuration but the repository's own, and speaks no helper's protocol."""
        added = {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ALLOW_PROTOCOL": "http:https:ssh:git:file",
            "GIT_SSH_COMMAND": self._ssh(),
            "LC_ALL": "C",
        }
        if self.source.password is not None:
            password = await text_of(self.source.password, self.site)
            added |= {"DELEGATE_GIT_USERNAME": self.source.username, "DELEGATE_GIT_PASSWORD": password}
            added["GIT_ASKPASS"] = str(self._askpass())
        return self.site.environment(added)

    def _ssh(self) -> str:
        key = ["-i", str(self.source.ssh_key), "-o", "IdentitiesOnly=yes"] if self.source.ssh_key else []
        return shlex.join(["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", *key])

    def _askpass(self) -> Path:
        """What git asks: a script that answers from the environment, so that no secret is in a file or an argument."""
        script = self.site.folder / "git-askpass"
        script.write_text(_ASKPASS, encoding="utf-8")
        script.chmod(0o700)
        return script


def _words(said: str, status: int) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("fatal", "error", "remote"))] or lines
    return (telling[0] if telling else f"git exited with {status}")[:300]
