"""Give what is in the cache to another user: to read and to execute, not to change, and not the cache itself."""

import os
import shutil
import stat
from pathlib import Path

__all__ = ["hand_out"]

_READ_EXECUTE = 0o5


def hand_out(content: Path, target: Path) -> None:
    """Make a folder with all of an entry's content, for everybody who gets there. Blocks.

    Files are linked and not copied where that can be: they are the runner's, and nobody may write to them.

    Raises:
        OSError: it cannot be made.
    """
    _make(target)
    for parent, folders, files in os.walk(content):
        place = target / Path(parent).relative_to(content)
        for name in (*folders, *files):
            _give(Path(parent, name), place / name)


def _give(source: Path, target: Path) -> None:
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(source.readlink())
    elif stat.S_ISDIR(mode):
        _make(target)
    elif stat.S_ISREG(mode):
        _give_file(source, target, stat.S_IMODE(mode))


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    folder.chmod(0o755)


def _give_file(source: Path, target: Path, mode: int) -> None:
    """What its owner may read and execute, everybody may."""
    wanted = mode >> 6 & _READ_EXECUTE
    if mode & _READ_EXECUTE == wanted:
        try:
            target.hardlink_to(source)
        except OSError:
            pass  # on another disk, or on one without links
        else:
            return
    shutil.copyfile(source, target)
    target.chmod(wanted << 6 | wanted << 3 | wanted)
