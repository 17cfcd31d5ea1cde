"""Another user than the runner's own, as whom processes run, and what of the disk is given to them."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["ProcessUser"]

_HIGHEST = 2**32 - 2
"""The next number means "leave it as it is" to the kernel."""


@dataclass(frozen=True, slots=True)
class ProcessUser:
    """A user of this machine.

    Attributes:
        name: of the user; the number where it has no name.
        uid: of the user.
        gid: of its group.
        groups: all groups of its processes, that one among them.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    @classmethod
    def named(cls, text: str) -> Self:
        """The user of this name or number, with all its groups; ``user:group`` is a user with this group alone.

        Raises:
            ValueError: there is none; says what to write.
        """
        user, separator, group = text.partition(":")
        entry = _user_entry(user)
        if separator:
            gid = _group(group)
            uid = entry.pw_uid if entry else _number(user)
            return cls(entry.pw_name if entry else user, uid, gid, (gid,))
        if entry is None:
            raise ValueError(f"user {user} has no name on this machine, and so no group: write {user}:GROUP")
        groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(sorted({*groups, entry.pw_gid})))

    def __str__(self) -> str:
        return self.name

    @property
    def variables(self) -> dict[str, str]:
        """What tells programs who they are."""
        return {"USER": self.name, "LOGNAME": self.name}

    def own(self, path: Path) -> None:
        """Make it theirs; a link itself and never what it leads to. The folder that it is in has to be ours.

        Raises:
            OSError: the system does not allow it.
        """
        os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def admit(self, folder: Path) -> None:
        """Let their processes through a folder of ours: to what they know the name of, and not to list or change it.

        Raises:
            OSError: the system does not allow it.
        """
        os.chown(folder, -1, self.gid, follow_symlinks=False)
        folder.chmod(0o710)


def _user_entry(user: str) -> pwd.struct_passwd | None:
    """None: it is a number without a name.

    Raises:
        ValueError: there is no such user.
    """
    try:
        return pwd.getpwnam(user)
    except KeyError:
        pass
    try:
        return pwd.getpwuid(_number(user))
    except KeyError:
        return None


def _group(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        pass
    if not group.isdecimal() or int(group) > _HIGHEST:
        raise ValueError(f"there is no group {group!r} on this machine: make it with groupadd, or name another")
    return int(group)


def _number(user: str) -> int:
    if not (user.isascii() and user.isdecimal()) or int(user) > _HIGHEST:
        raise ValueError(f"there is no user {user!r} on this machine: make it with useradd, or name another")
    return int(user)
