"""What the kernel is certain to take as a program, told from the file before anybody asks the kernel."""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from delegate_core.processes.failure import resolved
from delegate_core.processes.specification import ProcessSpec

__all__ = ["is_everybodys", "is_taken"]

_BEGINNING = 256
"""Bytes of a script that tell the kernel how to execute it."""

_ELF, _SCRIPT = b"\x7fELF", b"#!"
_KIND, _MACHINE = slice(0, 6), slice(18, 20)
"""Where an ELF file says what it is, and for which processor (elf(5))."""

_HEADER = 64
_INTERPRETER = 3
"""PT_INTERP: the segment that names what loads the program; one that is linked statically has none."""


def is_taken(spec: ProcessSpec) -> bool:
    """Whether the kernel will take the program, or the interpreter that its first line names."""
    path = resolved(spec)
    if path is None:
        return False
    beginning = _beginning(path)
    if not beginning.startswith(_SCRIPT):
        return _is_native(path)
    # Only blanks and tabs separate: to the kernel, a carriage return is a part of the interpreter's name.
    words = beginning.partition(b"\n")[0].removeprefix(_SCRIPT).replace(b"\t", b" ").split(b" ")
    words = [word for word in words if word]
    return bool(words) and _is_native(spec.cwd / os.fsdecode(words[0]))


def is_everybodys(spec: ProcessSpec) -> bool:
    """Whether anybody may execute the program, and nobody but root and the runner's user may change it.

    So it can be looked at for another user, who learns nothing by it and cannot exchange it meanwhile.
    """
    path = resolved(spec)
    if path is None:
        return False
    try:
        whole = path.resolve(strict=True)
        folders_are_safe = all(_is_safe(folder, stat.S_IXOTH) for folder in whole.parents)
        return folders_are_safe and _is_safe(whole, stat.S_IROTH | stat.S_IXOTH)
    except (OSError, RuntimeError):  # not there, or links in a circle
        return False


def _is_safe(path: Path, needed: int) -> bool:
    status = path.stat()
    others = status.st_mode & (stat.S_IWGRP | stat.S_IRWXO)
    return (
        status.st_uid in {0, os.geteuid()} and others & needed == needed and not others & ~(stat.S_IROTH | stat.S_IXOTH)
    )


def _beginning(path: Path) -> bytes:
    """How an executable file begins; nothing where it is none, or may not be read."""
    if os.access(path, os.X_OK) and path.is_file():
        with suppress(OSError), path.open("rb") as file:
            return file.read(_BEGINNING)
    return b""


def _is_native(path: Path) -> bool:
    """Whether it is for this processor, and what has to load it is there."""
    header, own = _beginning(path), _own_header()
    if not header.startswith(_ELF) or header[_KIND] != own[_KIND] or header[_MACHINE] != own[_MACHINE]:
        return False
    try:
        with path.open("rb") as file:
            return all(os.access(loader, os.X_OK) for loader in _loaders(file, header))
    except (OSError, ValueError, struct.error):
        return False


def _loaders(file: BinaryIO, header: bytes) -> Iterator[bytes]:
    """The files that are to load it: one, or none."""
    form = _forms()
    place, size, count = (field.of(header) for field in form.table)
    for number in range(count):
        file.seek(place + number * size)
        segment = file.read(_HEADER)
        if form.kind.of(segment) == _INTERPRETER:
            file.seek(form.offset.of(segment))
            yield file.read(form.length.of(segment)).rstrip(b"\0")


class _Field(NamedTuple):
    """A number in a header, in this machine's own order of bytes."""

    place: int
    form: str

    def of(self, header: bytes) -> int:
        return int(struct.unpack_from(f"={self.form}", header, self.place)[0])


class _Forms(NamedTuple):
    """Where the fields are: of the table of segments in the file's header, and in a segment's."""

    table: tuple[_Field, _Field, _Field]
    offset: _Field
    length: _Field
    kind: _Field = _Field(0, "I")


@cache
def _forms() -> _Forms:
    if _own_header()[4:5] == b"\2":
        return _Forms((_Field(32, "Q"), _Field(54, "H"), _Field(56, "H")), _Field(8, "Q"), _Field(32, "Q"))
    return _Forms((_Field(28, "I"), _Field(42, "H"), _Field(44, "H")), _Field(4, "I"), _Field(16, "I"))


@cache
def _own_header() -> bytes:
    return _beginning(Path("/proc/self/exe"))
