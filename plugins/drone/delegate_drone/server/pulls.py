"""Pull requests of a local repository, with the refs that a code host keeps for them.

Drone's runners clone a pull request by ``refs/pull/N/head``, which a working copy does not have, and nothing is written
to the user's repository. So from its first pull request on a repository is cloned from a copy that has them.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from .git import GitRepository

__all__ = ["FIRST_PULL", "PullRequests", "is_pull_ref"]

FIRST_PULL = "refs/pull/1/head"
"""The ref of a pull request that was given none."""

_REF = re.compile(r"refs/pull/[1-9][0-9]{0,8}/head")


def is_pull_ref(ref: str) -> bool:
    """Whether it is one that a copy can be given."""
    return _REF.fullmatch(ref) is not None


class PullRequests:
    """The copies of one server; they borrow the objects of their originals, so they are small.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, git: GitRepository, ref: str, sha: str) -> str:
        """From where to clone a build of this ref.

        Raises:
            GitError: the copy cannot be made.
        """
        place = self._folder / f"{hashlib.sha256(git.url.encode()).hexdigest()[:16]}.git"
        if not is_pull_ref(ref) and not place.exists():
            return git.url
        copy = git.copied_to(place)
        if is_pull_ref(ref):
            copy.point(ref, sha)
        return copy.url
