"""Reach a folder with the rights of another user, and not with the runner's.

A path that a task has a say in may lead anywhere: through links that its processes put there in this very moment, or
into an open folder within a closed one. Whatever root checks before it enters is in vain then. So the calling thread
takes on the user's rights to the file system while it opens the folder, and only these: signals and debuggers go by
other ids of a thread, which stay the runner's (setfsuid(2)). The kernel keeps them for each thread; what the C library
would have all threads do is asked of the kernel itself here.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from delegate_core.processes.user import ProcessUser

__all__ = ["FolderError", "is_supported", "open_folder"]

_SETGROUPS = {"x86_64": 116, "aarch64": 159, "riscv64": 159, "loongarch64": 159, "ppc64le": 81, "s390x": 206}
"""The number of the system call setgroups(2), by machine."""

_CAPABILITIES_VERSION = 0x20080522
_OVERRIDING = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH. The kernel takes them from root meanwhile, but not from another runner."""


def is_supported() -> bool:
    """Whether this module knows how to ask this machine's kernel."""
    return sys.maxsize > 2**32 and platform.machine() in _SETGROUPS


class FolderError(OSError):
    """The folder is not there, or this user may not enter it."""


def open_folder(path: Path, user: ProcessUser) -> int:
    """A descriptor of the folder, as the user could have opened it; good for entering it only.

    Raises:
        FolderError: it is not there, or not for this user.
        OSError: the runner may not take on the user's rights.
    """
    with _rights_of(user):
        try:
            descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise FolderError(error.errno, error.strerror) from None
        try:
            os.stat(".", dir_fd=descriptor)  # what nobody may enter can still be opened like this
        except OSError as error:
            os.close(descriptor)
            raise FolderError(error.errno, error.strerror) from None
        return descriptor


@contextmanager
def _rights_of(user: ProcessUser) -> Iterator[None]:
    groups, effective = os.getgroups(), _capabilities()
    _set_groups(user.groups)
    try:
        _set_ids(user.uid, user.gid)
        _set_effective(_capabilities() & ~_OVERRIDING)
        yield
    finally:
        _set_ids(os.geteuid(), os.getegid())
        _set_effective(effective)
        _set_groups(groups)


@cache
def _system() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _set_ids(uid: int, gid: int) -> None:
    """The group first: to change it, the rights of the runner are needed. Neither call tells of a failure."""
    system = _system()
    for change, wanted in ((system.setfsgid, gid), (system.setfsuid, uid)):
        change(ctypes.c_uint(wanted))
        if change(ctypes.c_uint(-1)) & 0xFFFFFFFF != wanted:
            raise PermissionError(1, "the runner may not take on another user's rights")


def _set_groups(groups: Sequence[int]) -> None:
    numbers = (ctypes.c_uint * len(groups))(*groups)
    _called(_system().syscall(_SETGROUPS[platform.machine()], ctypes.c_long(len(groups)), numbers))


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _read_capabilities() -> ctypes.Array[_Sets]:
    sets = (_Sets * 2)()
    _called(_system().capget(ctypes.byref(_Header(_CAPABILITIES_VERSION, 0)), sets))
    return sets


def _capabilities() -> int:
    """The first 32 of those in effect."""
    return int(_read_capabilities()[0].effective)


def _set_effective(effective: int) -> None:
    sets = _read_capabilities()
    sets[0].effective = effective & sets[0].permitted
    _called(_system().capset(ctypes.byref(_Header(_CAPABILITIES_VERSION, 0)), sets))


def _called(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
