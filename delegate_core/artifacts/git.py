"""Fetch one commit of a git repository, and build it."""

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread

from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.manifest import total_size
from delegate_core.artifacts.site import Site
from delegate_core.artifacts.sources import GitAccess, GitRepository
from delegate_core.artifacts.unpack import DEEPEST, MOST_FILES
from delegate_core.backoff import Backoff
from delegate_core.processes import ProcessSpec, ProcessStartError
from delegate_core.removal import remove
from delegate_core.settings.secretfrom import text_of

__all__ = ["Checkout", "newest"]

_TRIES = 4
_LASTING = re.compile(
    r"authentication failed|permission denied|could not read (username|password)|not found|does not exist"
    r"|not appear to be a git repository|host key verification failed|terminal prompts disabled|invalid username",
    re.IGNORECASE,
)
"""What git says where trying again would not help."""

_NOT_SINGLY = re.compile(r"not our ref|unadvertised object|no such remote ref|couldn't find remote ref", re.IGNORECASE)
"""What a server says that gives out branches only."""

_ADVERTISED = re.compile(r"[0-9a-f]{40,64}\t\S+")
"""A line of ``git ls-remote``."""

_EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")

_ASKPASS = """#!/bin/sh
case "$1" in
Username*) printf '%s\\n' "$DELEGATE_GIT_USERNAME" ;;
*) printf '%s\\n' "$DELEGATE_GIT_PASSWORD" ;;
esac
"""


class _NotSingly(Exception):
    """The server does not give out what was asked for by itself."""


@dataclass(slots=True)
class _Git:
    """Git as we run it: it asks nobody, reads no configuration but the repository's own, and is tried again.

    Attributes:
        source: which repository, and how to get at it.
        site: the task that it is done for.
        folder: where it runs.
        pauses: between tries.
    """

    source: GitAccess
    site: Site
    folder: Path
    pauses: Backoff = field(default_factory=lambda: Backoff(first=0.5, most=10.0))
    _environment: dict[str, str] = field(default_factory=dict, repr=False)

    async def prepare(self) -> None:
        """Find the password.

        Raises:
            SecretUnavailable: it cannot be read.
        """
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
        self._environment = self.site.environment(added)

    def _ssh(self) -> str:
        line = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"]
        if self.source.ssh_key:
            line += ["-i", str(self.source.ssh_key), "-o", "IdentitiesOnly=yes"]
        if self.source.ssh_known_hosts:
            line += ["-o", f"UserKnownHostsFile={_as_value(self.source.ssh_known_hosts)}"]
            line += ["-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes"]
        return shlex.join(line)

    def _askpass(self) -> Path:
        """What git asks: a script that answers from the environment, so that no secret is in a file or an argument."""
        script = self.site.folder / "git-askpass"
        script.write_text(_ASKPASS, encoding="utf-8")
        script.chmod(0o700)
        return script

    async def run(self, arguments: Sequence[str], *, taking: Callable[[bytes], None] | None = None) -> tuple[int, str]:
        """Run git; its status, and what it printed, the end of it where that is long.

        ``taking`` is given what it prints to standard output as it comes.
        """
        said = bytearray()

        def keep(data: bytes, stream: str) -> None:
            if taking is not None and stream == "stdout":
                taking(data)
                return
            said.extend(data)
            del said[:-16384]

        spec = ProcessSpec(argv=["git", *arguments], cwd=self.folder, env=self._environment)
        try:
            ended = await self.site.run(spec, on_output=keep)
        except ProcessStartError as error:
            raise ArtifactError(f"{error} A git repository needs git on this machine.") from None
        return ended.exit_code, self.site.masked(said.decode(errors="replace"))

    async def ask(self, arguments: Sequence[str]) -> str:
        """Run what talks to the server, with tries; what it printed.

        Raises:
            _NotSingly: the server does not give that out.
            ArtifactError: it cannot be had.
        """
        for number in range(1, _TRIES + 1):
            status, said = await self.run(arguments)
            if status == 0:
                return said
            if _NOT_SINGLY.search(said):
                raise _NotSingly
            if _LASTING.search(said) or number == _TRIES:
                raise ArtifactError(f"cannot fetch {self.source.git}: {_words(said, status)}{_hint(said)}")
            pause = self.pauses.next()
            self.site.log(f"git: {_words(said, status)}; trying again in {pause:.1f}s ({number + 1} of {_TRIES})")
            await anyio.sleep(pause)
        raise AssertionError("the last try returns or raises")


@dataclass(slots=True)
class _Tree:
    """Adds up what ``git ls-tree -r -l -z`` prints, and says what of it goes beyond a bound.

    Attributes:
        limit: bytes of all files.
        problem: what is too much; empty so far.
    """

    limit: int
    problem: str = ""
    _size: int = 0
    _files: int = 0
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        """The next part: entries of mode, kind, object and size, a tab, the path, and a zero byte."""
        *entries, self._rest = (self._rest + data).split(b"\0")
        for entry in entries:
            facts, _, path = entry.partition(b"\t")
            size = facts.split()[-1] if facts else b"-"
            self._size += int(size) if size.isdigit() else 0  # of a submodule there is none
            self._files += 1
            if path.count(b"/") >= DEEPEST:
                self.problem = "the checkout nests folders too deeply"
        if self._size > self.limit:
            self.problem = f"the checkout has {self._size:,} bytes or more; raise size_limit if it may"
        if self._files > MOST_FILES:
            self.problem = f"the checkout has more than {MOST_FILES:,} files"


@dataclass(slots=True)
class Checkout:
    """One checkout of one repository, into an empty folder.

    Attributes:
        source: which repository and commit.
        site: the task that it is done for.
        folder: where to.
    """

    source: GitRepository
    site: Site
    folder: Path

    async def make(self) -> None:
        """Fetch, check out, check that it is the commit, build, and drop git's own folder.

        Raises:
            ArtifactError: it cannot be had, is too large, or does not build.
            SecretUnavailable: the password cannot be read.
        """
        git = _Git(self.source, self.site, self.folder)
        await git.prepare()
        self.site.log(f"fetching {self.source.git} at {self.source.commit[:12]}")
        status, said = await git.run(["init", "--quiet"])
        if status != 0:
            raise ArtifactError(f"git init: {_words(said, status)}")
        try:
            await self._fetch(git, "--depth=1", "--", self.source.git, self.source.commit)
        except _NotSingly:
            await self._fetch_branches(git)
        await self._check_size(git)
        await self._check_out(git)
        await anyio.to_thread.run_sync(remove, self.folder / ".git")
        await self._build()
        size = await anyio.to_thread.run_sync(total_size, self.folder)
        if size > self.source.size_limit:
            raise ArtifactError(f"{self.source.git}: the checkout has {size:,} bytes; raise size_limit if it may")

    async def _fetch_branches(self, git: _Git) -> None:
        ref = self.source.ref
        of_what = f" of {ref}" if ref else " branches and tags"
        self.site.log(f"the server gives out no single commit: fetching all{of_what}")
        try:
            await self._fetch(git, "--", self.source.git, *([ref] if ref else _EVERYTHING))
        except _NotSingly:
            raise ArtifactError(f"{self.source.git} has no {ref}") from None

    async def _fetch(self, git: _Git, *arguments: str) -> None:
        await git.ask(["fetch", "--quiet", "--no-tags", "--update-head-ok", *arguments])

    async def _check_size(self, git: _Git) -> None:
        """Before anything is written: folders that share their content check out to far more than was fetched.

        A commit that is not there is seen when it is checked out.
        """
        tree = _Tree(self.source.size_limit)
        with anyio.CancelScope() as scope:

            def count(data: bytes) -> None:
                tree.take(data)
                if tree.problem:
                    scope.cancel()

            await git.run(["ls-tree", "-r", "-l", "-z", self.source.commit, "--"], taking=count)
        if tree.problem:
            raise ArtifactError(f"{self.source.git}: {tree.problem}")

    async def _check_out(self, git: _Git) -> None:
        commit = self.source.commit
        status, said = await git.run(["checkout", "--quiet", "--detach", commit, "--"])
        if status != 0:
            raise ArtifactError(f"{self.source.git} has no commit {commit}: {_words(said, status)}")
        _, head = await git.run(["rev-parse", "HEAD"])
        if head.strip() != commit:
            raise ArtifactError(f"{self.source.git}: checked out {head.strip()[:80]!r} instead of {commit}")

    async def _build(self) -> None:
        if not self.source.build:
            return
        script = "\n".join(self.source.build)
        self.site.log(f"building it: {'; '.join(self.source.build)}")
        spec = ProcessSpec(argv=["/bin/sh", "-ec", script], cwd=self.folder, env=self.site.environment())
        ended = await self.site.run(spec)
        if ended.exit_code != 0:
            raise ArtifactError(f"{self.source.git} at {self.source.commit[:12]}: build exited with {ended.exit_code}")


async def newest(source: GitAccess, ref: str, site: Site) -> str:
    """The commit that a branch or tag names at this moment.

    Raises:
        ArtifactError: the repository cannot be asked, or has no such branch or tag.
        SecretUnavailable: the password cannot be read.
    """
    git = _Git(source, site, site.folder)
    await git.prepare()
    said = await git.ask(["ls-remote", "--quiet", "--", source.git, ref, f"{ref}^{{}}"])
    named = [line.split("\t", 1) for line in said.splitlines() if _ADVERTISED.match(line)]
    found = {name: commit for commit, name in named}
    for name in (f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"{ref}^{{}}", ref):
        if name in found:
            return found[name]
    raise ArtifactError(f"{source.git} has no branch or tag {ref}")


def _as_value(path: Path) -> str:
    """A path as ssh's options take one: else a space begins another, and a percent sign a name of its own."""
    return '"{}"'.format(str(path).replace("%", "%%"))


def _hint(said: str) -> str:
    if re.search(r"host key verification failed", said, re.IGNORECASE):
        return "; name the file with this host's key as ssh_known_hosts"
    if re.search(r"authentication|could not read (username|password)|permission denied", said, re.IGNORECASE):
        return "; give username and password, or ssh_key"
    return ""


def _words(said: str, status: int) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("fatal", "error", "remote"))] or lines
    return (telling[0] if telling else f"git exited with {status}")[:300]
