"""Unpack what was downloaded: bounded, within one folder, whatever the archive says.

Not trusted of an archive: its names (absolute, ``..``), its links (out of the folder, or to write through), its sizes
(a bomb), its modes (only "executable" is kept), its kinds (no devices, no pipes). Nothing is ever written through a
link, and a link may point only to what lies in the folder, going up first and down then: so, whatever other links
there are, following it cannot lead out.
"""

import errno
import gzip
import io
import lzma
import os
import stat
import sys
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, Self, cast

from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.sources import Format

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["DEEPEST", "MOST_FILES", "PROGRAM", "Stopped", "unpack"]

PROGRAM = "program"
"""What the one file is called that comes out of what is no archive."""

_CHUNK = 256 * 1024
MOST_FILES = 200_000
"""Files, folders and links of one archive or checkout."""

DEEPEST = 128
"""Folders in one another: beyond a thousand, nothing that walks over them gets to their end."""

_LONGEST_NAME = 2000
_LONGEST_HEADER = 1024 * 1024
_XZ_MEMORY = 512 * 1024 * 1024
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zstd.ZstdError,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
    ValueError,
    OverflowError,
)
"""What the libraries raise for damaged or unusual files."""


class Stopped(Exception):
    """The unpacking was told to stop."""


def unpack(file: Path, packed: Format, folder: Path, *, size_limit: int, stop: threading.Event) -> None:
    """Unpack a file into an empty folder. What is no archive becomes the one executable file `PROGRAM`.

    Args:
        file: what was downloaded.
        packed: how.
        folder: where to; exists and is empty.
        size_limit: bytes that may come out.
        stop: set from another thread to end it.

    Raises:
        ArtifactError: it is damaged, too large, or holds what would get out of the folder.
        Stopped: `stop` was set.
    """
    target = _Target(folder, size_limit, stop)
    try:
        with file.open("rb") as source:
            _unpack(source, packed, target)
    except _BROKEN as error:
        raise ArtifactError(
            f"what was downloaded is no sound {packed} file: {str(error) or type(error).__name__}"
        ) from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise ArtifactError("the archive holds a name that is too long for this disk") from None


def _unpack(source: IO[bytes], packed: Format, target: "_Target") -> None:
    if packed == "zip":
        _unzip(source, target)
        return
    with _decompressed(source, packed.rpartition(".")[2]) as stream:
        if packed.startswith("tar"):
            _untar(stream, target)
        else:
            target.write(PurePosixPath(PROGRAM), stream, executable=True)


@contextmanager
def _decompressed(source: IO[bytes], compression: str) -> Iterator[IO[bytes]]:
    match compression:
        case "gzip" | "gz":
            with gzip.GzipFile(fileobj=source) as stream:
                yield cast("IO[bytes]", stream)
        case "xz":
            with io.BufferedReader(_Xz(source), _CHUNK) as stream:
                yield stream
        case "zstd" | "zst":
            with zstd.ZstdFile(source) as stream:
                yield cast("IO[bytes]", stream)
        case _:
            yield source


class _Xz(io.RawIOBase):
    """An xz file's content. The library's own reader knows no bound of the memory that a file may ask for."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._engine = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # bytes are all we fill
        """Some of the content; 0 at its end."""
        while True:
            if self._engine.eof:
                self._rest = self._engine.unused_data.lstrip(b"\0")
                if not self._rest and not (more := self._source.read(_CHUNK).lstrip(b"\0")):
                    return 0
                self._rest = self._rest or more
                self._engine = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            if self._engine.needs_input and not self._rest:
                self._rest = self._source.read(_CHUNK)
                if not self._rest:
                    raise EOFError("it ends too early")
            data = self._engine.decompress(self._rest, len(buffer))
            self._rest = b""
            if data:
                buffer[: len(data)] = data
                return len(data)


# ---------------------------------------------------------------------- where it goes


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Target:
    """The folder, and what may still come into it."""

    def __init__(self, folder: Path, size_limit: int, stop: threading.Event) -> None:
        self._folder = folder
        self._limit = size_limit
        self._left = size_limit
        self._members = 0
        self._stop = stop

    def member(self, name: str) -> PurePosixPath | None:
        """A member's path within the folder; None for the folder itself.

        Raises:
            ArtifactError: it leads out, or there are too many.
        """
        self.heed()
        self._members += 1
        if self._members > MOST_FILES:
            raise ArtifactError(f"the archive has more than {MOST_FILES:,} members")
        path = PurePosixPath(name)
        if len(path.parts) > DEEPEST or len(os.fsencode(name)) > _LONGEST_NAME:
            raise ArtifactError(f"the archive holds {name[:80]!r}..., which is nested too deeply or too long")
        if path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
            raise ArtifactError(f"the archive holds {name!r}, which would lie outside its folder")
        return path if path.parts else None

    def heed(self) -> None:
        """Stop if told to."""
        if self._stop.is_set():
            raise Stopped

    def folder(self, path: PurePosixPath) -> None:
        """Make a folder."""
        self._parents(path / "x")

    def write(self, path: PurePosixPath, content: _Reader, *, executable: bool) -> None:
        """Make a file."""
        place = self._new(path)
        with place.open("xb") as file:
            while chunk := content.read(_CHUNK):
                self.heed()
                self._left -= len(chunk)
                if self._left < 0:
                    raise ArtifactError(f"more than {self._limit:,} bytes come out of it; raise size_limit if it may")
                file.write(chunk)
        place.chmod(0o755 if executable else 0o644)

    def link(self, path: PurePosixPath, target: str) -> None:
        """Make a symbolic link."""
        if not _stays_within(path, target):
            raise ArtifactError(f"the archive links {str(path)!r} to {target!r}, which may lead out of its folder")
        self._new(path).symlink_to(target)

    def copy(self, path: PurePosixPath, original: PurePosixPath) -> None:
        """Make a file that has the content of an earlier one: what a hard link becomes."""
        source = self._parents(original)
        if source.is_symlink() or not source.is_file():
            raise ArtifactError(f"the archive links {str(path)!r} to {str(original)!r}, which is no file of it")
        with source.open("rb") as file:
            self.write(path, file, executable=bool(source.stat().st_mode & stat.S_IXUSR))

    def _new(self, path: PurePosixPath) -> Path:
        place = self._parents(path)
        if place.is_symlink() or place.exists():
            raise ArtifactError(f"the archive holds {str(path)!r} twice")
        return place

    def _parents(self, path: PurePosixPath) -> Path:
        """The path in the folder, all of its parents being real folders: nothing is written through a link."""
        place = self._folder
        for part in path.parts[:-1]:
            place /= part
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                raise ArtifactError(f"the archive holds {str(path)!r} within what is no folder")
            place.mkdir(mode=0o755, exist_ok=True)
        return place / path.parts[-1]


def _stays_within(path: PurePosixPath, target: str) -> bool:
    parts = PurePosixPath(target).parts
    if not target or target.startswith("/") or "\0" in target or "\\" in target:
        return False
    up = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    return up <= len(path.parts) - 1 and ".." not in parts[up:]


# ---------------------------------------------------------------------- tar and zip


class _Member(tarfile.TarInfo):
    """A member whose own headers are bounded: the library reads them into memory whole."""

    _HEADERS = frozenset(
        {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
    )

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """As the library reads it."""
        member = super().frombuf(buf, encoding, errors)
        if member.type in cls._HEADERS and member.size > _LONGEST_HEADER:
            raise ArtifactError(f"the archive has a header of {member.size:,} bytes")
        return member


def _untar(stream: IO[bytes], target: _Target) -> None:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive:
        for member in archive:
            path = target.member(member.name)
            if path is None or member.isdir():
                if path is not None:
                    target.folder(path)
            elif member.isreg():
                content = archive.extractfile(member)
                assert content is not None  # noqa: S101 - for the type checker: it is a regular file
                target.write(path, content, executable=bool(member.mode & 0o111))
            elif member.issym():
                target.link(path, member.linkname)
            elif member.islnk():
                original = target.member(member.linkname)
                target.copy(path, original or path)
            else:
                raise ArtifactError(f"the archive holds {member.name!r}, a device or pipe")
            archive.members = []  # type: ignore[attr-defined]  # or it remembers all of them


def _unzip(source: IO[bytes], target: _Target) -> None:
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            if member.header_offset < 0:  # the library would go there unchecked
                raise zipfile.BadZipFile("a member lies outside of it")
            path = target.member(member.filename)
            mode = member.external_attr >> 16
            if path is None or member.is_dir():
                if path is not None:
                    target.folder(path)
            elif member.flag_bits & 1:
                raise ArtifactError("the archive is encrypted")
            elif stat.S_ISLNK(mode):
                with archive.open(member) as content:
                    target.link(path, content.read(_CHUNK).decode())
            elif stat.S_IFMT(mode) in {0, stat.S_IFREG}:
                with archive.open(member) as content:
                    target.write(path, content, executable=bool(mode & 0o111))
            else:
                raise ArtifactError(f"the archive holds {member.filename!r}, a device or pipe")
