"""What the local repository says of itself. All of it is optional: without git, or outside a repository, nothing is."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from delegate_core.errors import SettingsError

__all__ = ["Checkout", "look", "resolve"]

_PATIENCE: Final = 15.0
"""Seconds that git may take; on a dead network file system it would take for ever."""

_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "log.showSignature=false")
"""A repository that was downloaded with its ``.git`` may name programs in its settings."""

_SLUG = re.compile(r"[:/](?P<owner>[^/:]+)/(?P<name>[^/:]+?)(?:\.git)?/*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A folder, and the repository that it is in. Empty texts: not known.

    Args:
        folder: the folder that was looked at.
        root: the top of the working tree, of a bare repository itself; None: it is in no repository.
        url: where ``origin`` is, without the account that may be in it.
        slug: ``owner/name``, from ``origin``, else ``local/`` and the folder's name.
        branch: what is checked out; empty on a detached head.
        default_branch: what ``origin`` checks out.
        tag: a tag of this very commit.
        commit: its id.
        parent: the id of the one before.
    """

    folder: Path
    root: Path | None = None
    url: str = ""
    slug: str = ""
    branch: str = ""
    default_branch: str = ""
    tag: str = ""
    commit: str = ""
    parent: str = ""
    message: str = ""
    author_name: str = ""
    author_email: str = ""

    @property
    def modified(self) -> bool:
        """There is work that is not committed.

        Git runs the filters that the repository's own settings name for this, as `git status` does: do not ask where
        nothing is to be run.
        """
        return bool(_git(self.folder, "status", "--porcelain", "--ignore-submodules=dirty"))


def look(folder: Path) -> Checkout:
    """Ask git about a folder. Nothing that the repository's own settings name is run."""
    top = _top(folder)
    if not top:
        return Checkout(folder=folder, slug=f"local/{folder.name or 'root'}")
    commit, parents, name, email, message = _head(folder)
    url = _without_account(_git(folder, "config", "--get", "remote.origin.url"))
    # Never the short form: git does not shorten the name of a branch that is a tag's, too.
    branch = _git(folder, "symbolic-ref", "-q", "HEAD").removeprefix("refs/heads/")
    default = _git(folder, "symbolic-ref", "-q", "refs/remotes/origin/HEAD").removeprefix("refs/remotes/origin/")
    return Checkout(
        folder=folder,
        root=Path(top),
        url=url,
        slug=_slug(url) or f"local/{Path(top).name or 'root'}",
        branch=branch,
        default_branch=default or branch,
        tag=_git(folder, "describe", "--tags", "--exact-match"),
        commit=commit,
        parent=parents.partition(" ")[0],
        message=message.strip(),
        author_name=name,
        author_email=email,
    )


def resolve(checkout: Checkout, name: str) -> str:
    """The id of a commit, branch or tag.

    Raises:
        SettingsError: the repository has none of that name.
    """
    found = _git(checkout.folder, "rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}")
    if not found:
        shown = name.removeprefix("refs/heads/")
        raise SettingsError(f"the repository {checkout.root} has no branch, tag or commit {shown}")
    return found


def _top(folder: Path) -> str:
    if _git(folder, "rev-parse", "--is-bare-repository") == "true":
        return _git(folder, "rev-parse", "--absolute-git-dir")
    return _git(folder, "rev-parse", "--show-toplevel")


def _head(folder: Path) -> tuple[str, str, str, str, str]:
    fields = _git(folder, "log", "-1", "--no-show-signature", "--format=%H%x00%P%x00%an%x00%ae%x00%B").split("\0", 4)
    commit, parents, name, email, message = fields if len(fields) == 5 else ("", "", "", "", "")
    return commit, parents, name, email, message


def _slug(url: str) -> str:
    found = _SLUG.search(url)
    return f"{found['owner']}/{found['name']}" if found else ""


def _without_account(url: str) -> str:
    """A URL may carry a token, which steps and logs must not see."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; empty where it fails or is not installed."""
    quiet = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", *_SAFE, *arguments],  # noqa: S607 - whichever git the person uses
            cwd=folder,
            env={**os.environ, **quiet},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip("\n") if done.returncode == 0 else ""
