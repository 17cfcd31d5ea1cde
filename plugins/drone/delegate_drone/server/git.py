"""Reading a local git repository: what a commit says, and where branches are. Only copies of ours are written to."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Commit", "GitError", "GitRepository"]

_SECONDS = 30.0
_NAME = re.compile(r"(?!.*(?:\.\.|@\{|//))[^\s\x00-\x20\x7f~^:?*\[\\-][^\s\x00-\x20\x7f~^:?*\[\\]{0,250}")
_FORMAT = "%H%x00%P%x00%an%x00%ae%x00%at%x00%B"
_NOTHING = "0" * 40


class GitError(Exception):
    """The repository cannot be read, or does not have what is asked for."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. ``before`` is its first parent, zeros for the first of all; ``time`` is unix seconds."""

    sha: str
    before: str
    message: str
    author_name: str
    author_email: str
    time: int


class GitRepository:
    """A working copy or a bare repository on this machine.

    Args:
        path: where it is.
        environ: the environment for git; what points git at another repository is left out.

    Raises:
        GitError: there is none at the path.
    """

    def __init__(self, path: Path, environ: Mapping[str, str] | None = None) -> None:
        given = os.environ if environ is None else environ
        self._environ = {name: value for name, value in given.items() if not name.startswith("GIT_")}
        # Where git finds its settings and which folders it trusts is the user's.
        self._environ |= {name: value for name, value in given.items() if name.startswith("GIT_CONFIG_")}
        self._environ |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        self._path = path.resolve()
        if not self._path.is_dir():
            raise GitError(f"{path} is no folder")
        self._run("rev-parse", "--git-dir")

    @property
    def url(self) -> str:
        """From where git clones it."""
        return self._path.as_uri()

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self._path.name.removesuffix(".git")

    def current_branch(self) -> str:
        """The branch that is checked out; empty where none is."""
        return self._ask("symbolic-ref", "--quiet", "--short", "HEAD")

    def default_branch(self) -> str:
        """The branch that the remote calls its own, else main or master if there is one, else the current one."""
        remote = self._ask("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
        found = [name for name in (remote, "main", "master") if name and self._sha(f"refs/heads/{name}")]
        return found[0] if found else self.current_branch()

    def commit(self, name: str) -> Commit:
        """The commit that a branch, a tag, a full ref or a sha names.

        Raises:
            GitError: there is none of that name, or it is no name.
        """
        sha = self._sha(name) if _NAME.fullmatch(name) else ""
        if not sha:
            raise GitError(f"{self._path} has no commit {name!r}")
        fields = self._run(
            "log", "-1", "--no-show-signature", "--encoding=UTF-8", f"--format={_FORMAT}", sha, "--"
        ).split("\0", 5)
        parent = fields[1].split(" ", 1)[0] or _NOTHING
        return Commit(fields[0].strip(), parent, fields[5].strip(), fields[2], fields[3], int(fields[4]))

    def has(self, name: str) -> bool:
        """Whether a branch, a tag or a full ref of this name has a commit."""
        return bool(_NAME.fullmatch(name) and self._sha(name))

    def copied_to(self, place: Path) -> GitRepository:
        """A bare copy with the branches and tags as they are now, made or brought up to date.

        Raises:
            GitError: it cannot be written.
        """
        if not place.exists():
            self._run("clone", "--quiet", "--bare", "--shared", "--", str(self._path), str(place))
        copy = GitRepository(place, self._environ)
        heads, tags = (f"+refs/{kind}/*:refs/{kind}/*" for kind in ("heads", "tags"))
        copy._run("fetch", "--quiet", "--prune", "--", str(self._path), heads, tags)
        return copy

    def point(self, ref: str, sha: str) -> None:
        """Let a ref of a copy of ours be this commit."""
        self._run("update-ref", "--", ref, sha)

    def _sha(self, name: str) -> str:
        return self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def _ask(self, *arguments: str) -> str:
        """What git answers; empty if it has no answer."""
        try:
            return self._run(*arguments).strip()
        except GitError:
            return ""

    def _run(self, *arguments: str) -> str:
        command = ["git", "-C", str(self._path), *arguments]
        try:
            done = subprocess.run(  # noqa: S603 - a list of arguments, and names are checked before
                command, env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True
            )
        except FileNotFoundError:
            raise GitError("git is not installed") from None
        except subprocess.TimeoutExpired:
            raise GitError(f"git did not answer within {_SECONDS:g} seconds for {self._path}") from None
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode("utf-8", "replace").strip().splitlines() or [
                f"git ended with {error.returncode}"
            ]
            raise GitError(f"{self._path}: {said[0]}") from None
        return done.stdout.decode("utf-8", "replace")
