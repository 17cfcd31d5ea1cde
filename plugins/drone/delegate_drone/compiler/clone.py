"""The shell commands that fetch the source.

Whoever may push chooses the names of branches and tags, so every value is quoted and stands where git cannot take it
for an option: refs always with their ``refs/`` prefix, which is also why a branch is made by ``symbolic-ref`` and
``reset`` and not by ``checkout -b``. One plain git command a line, because people read them in the log.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property

from delegate_drone.manifest import Clone
from delegate_drone.wire import Build, Repository

__all__ = ["clone_commands"]

_MERGED = ("refs/pull/", "refs/pull-requests/", "refs/merge-requests/")
_HEADS = "refs/heads/"
_EVERYTHING = 2**31 - 1
"""The depth that git takes for the whole history; unlike ``--unshallow`` it suits a repository that is whole."""
_MOST_RETRIES = 20
_LONGEST_PAUSE = 30


def clone_commands(build: Build, repository: Repository, clone: Clone) -> tuple[str, ...]:
    """Commands for ``sh -e`` in an empty folder; what cannot be cloned gives commands that fail and say why.

    The ref decides: of a tag, the tag; of a pull request, its commit merged into the target branch; of anything else,
    the commit on its branch. A commit that the fetched history lacks (shallow, or the branch was rewritten) is
    fetched by itself. Needs the ``GIT_*`` variables of the environment for the merge.
    """
    url = (repository.git_http_url or repository.git_ssh_url).replace("\0", "")
    if not url:
        return _refusal("the repository has no address to clone from")
    checkout = _Checkout(build, clone)
    if checkout.commit.startswith("-"):
        return _refusal("the build's commit is no commit id")
    opening = ("git init --quiet", f"git remote add -- origin {shlex.quote(url)}")
    return (*checkout.preparation(), *opening, *checkout.commands())


def _refusal(reason: str) -> tuple[str, ...]:
    return (f"echo {shlex.quote(f'cannot clone: {reason}')} >&2", "exit 1")


@dataclass(frozen=True)
class _Checkout:
    build: Build
    clone: Clone

    @cached_property
    def _branch(self) -> str:
        name = self.build.target.replace("\0", "")
        ref = self.build.ref
        return name or (ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else "")

    @cached_property
    def commit(self) -> str:
        """The build's, without what no command line can hold."""
        return self.build.after.replace("\0", "")

    @cached_property
    def _ref(self) -> str:
        return self.build.ref.replace("\0", "")

    def preparation(self) -> tuple[str, ...]:
        """What retries need: a function that the commands that follow may use."""
        retries = min(self.clone.retries, _MOST_RETRIES)
        if retries <= 0:
            return ()
        pauses = " ".join(str(min(2**attempt, _LONGEST_PAUSE)) for attempt in range(retries))
        again = 'echo "trying again in $pause s" >&2; sleep "$pause"'
        return (f'retry() {{ for pause in {pauses}; do "$@" && return; {again}; done; "$@"; }}',)

    def commands(self) -> tuple[str, ...]:
        if self._ref.startswith("refs/tags/"):
            return (self._fetch(f"+{self._ref}:{self._ref}"), "git checkout --quiet --detach FETCH_HEAD")
        if not self._branch:
            return self._without_branch()
        return self._merge() if self._ref.startswith(_MERGED) else self._push()

    def _push(self) -> tuple[str, ...]:
        if not self.commit:
            return (self._fetch(self._refspec), *self._on_branch(self._tracking))
        return (self._fetch(self._refspec), self._have_commit(self._refspec), *self._on_branch(self.commit))

    def _merge(self) -> tuple[str, ...]:
        proposed = f"refs/remotes/origin/{self._ref.removeprefix('refs/')}"
        refspec = f"+{self._ref}:{proposed}"
        commit = self.commit or proposed
        return (
            self._fetch(self._refspec),
            *self._on_branch(self._tracking),
            self._fetch(refspec),
            *((self._have_commit(refspec),) if self.commit else ()),
            *((self._common_history(commit, refspec),) if self.clone.depth > 0 else ()),
            f"git merge --no-edit {shlex.quote(commit)}",
        )

    def _without_branch(self) -> tuple[str, ...]:
        """Nothing says what branch this is: the pull request's or any other ref, else the commit, else the HEAD."""
        wanted = self._ref if self._ref.startswith("refs/") else self.commit or "HEAD"
        if wanted == self._ref and self.commit:
            target = shlex.quote(self.commit)
            return (self._fetch(wanted), self._have_commit(wanted), f"git checkout --quiet --detach {target}")
        return (self._fetch(wanted), "git checkout --quiet --detach FETCH_HEAD")

    @property
    def _tracking(self) -> str:
        return f"refs/remotes/origin/{self._branch}"

    @property
    def _refspec(self) -> str:
        return f"+{_HEADS}{self._branch}:{self._tracking}"

    def _on_branch(self, start: str) -> tuple[str, ...]:
        return (
            f"git symbolic-ref HEAD {shlex.quote(_HEADS + self._branch)}",
            f"git reset --hard {shlex.quote(start)}",
        )

    def _fetch(self, *refspecs: str, depth: int | None = None) -> str:
        depth = self.clone.depth if depth is None else depth
        words = ("git", "fetch", *((f"--depth={depth}",) if depth > 0 else ()), "origin", *map(shlex.quote, refspecs))
        return " ".join(("retry", *words) if self.clone.retries > 0 else words)

    def _have_commit(self, refspec: str) -> str:
        """Some servers give out no single commit: then the whole history has it."""
        test = f"git cat-file -e {shlex.quote(self.commit + '^{commit}')} 2>/dev/null"
        if self.clone.depth <= 0:
            return f"{test} || {self._fetch(self.commit)}"
        alone = f"git fetch --depth={self.clone.depth} origin {shlex.quote(self.commit)}"
        return f"{test} || {alone} || {self._fetch(refspec, depth=_EVERYTHING)}"

    def _common_history(self, commit: str, refspec: str) -> str:
        """Two shallow histories may not meet, and git merges only what has an ancestor in common."""
        test = f"git merge-base HEAD {shlex.quote(commit)} >/dev/null"
        return f"{test} || {self._fetch(self._refspec, refspec, depth=_EVERYTHING)}"
