"""What lies in a folder, exactly: to find out later whether it still does."""

import hashlib
import os
import stat
from pathlib import Path

__all__ = ["glance", "manifest", "synced", "total_size"]

_CHUNK = 1024 * 1024

Manifest = dict[str, str]
Glance = tuple[tuple[str, int, int, int, int], ...]


def manifest(folder: Path) -> Manifest:
    """Every file, link and folder by its path, each with its kind, and its content's digest.

    Raises:
        OSError: something of it cannot be read.
    """
    return {str(path.relative_to(folder)): _describe(path) for path in sorted(folder.rglob("*"))}


def glance(folder: Path) -> Glance:
    """The same without reading: enough to see that nothing has changed since it was read."""
    found = [(str(path.relative_to(folder)), path.lstat()) for path in sorted(folder.rglob("*"))]
    return tuple((name, one.st_ino, one.st_size, one.st_mtime_ns, one.st_mode) for name, one in found)


def total_size(folder: Path) -> int:
    """Bytes of all files in it."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def synced(folder: Path) -> None:
    """Have the disk hold all of it, so that not even a power failure leaves half a file under its name."""
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            continue
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _describe(path: Path) -> str:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"link {path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    if not stat.S_ISREG(status.st_mode):
        return "other"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return f"file {status.st_mode & 0o777:o} {digest.hexdigest()}"
