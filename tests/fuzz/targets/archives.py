"""Archives that were downloaded."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.sources import Format
from delegate_core.artifacts.unpack import unpack
from tests.fuzz.registry import fields, target

_FORMATS: dict[bytes, Format] = {
    name.encode(): name for name in ("tar", "zip", "gzip", "xz", "zstd", "tar.gz", "tar.xz", "tar.zst", "plain")
}
_LIMIT = 100_000


@target(
    "archive",
    words=(*map(bytes.decode, _FORMATS), "ustar\x0000", "PK\x03\x04", "PK\x05\x06", "../", "\x00"),
    longest=8192,
    calls=2000,
)
def archive(data: bytes) -> None:
    """Whatever it is, it is unpacked into its folder and no further, within its limit, or refused."""
    kind, content = fields(data, 2)
    with TemporaryDirectory() as place:
        outer = Path(place).resolve()
        (outer / "file").write_bytes(content)
        folder = outer / "in" / "folder"
        folder.mkdir(parents=True)
        with suppress(ArtifactError):
            unpack(outer / "file", _FORMATS.get(kind, "tar"), folder, size_limit=_LIMIT, stop=threading.Event())
        assert sorted(path.name for path in outer.iterdir()) == ["file", "in"]
        assert [path.name for path in (outer / "in").iterdir()] == ["folder"]
        files = [path for path in folder.rglob("*") if not path.is_symlink() and path.is_file()]
        assert sum(path.stat().st_size for path in files) <= _LIMIT
        assert all(path.stat().st_mode & 0o7022 == 0 for path in files)
