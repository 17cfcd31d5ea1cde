"""Archives are unpacked within their folder and their bounds, whatever they hold."""

from __future__ import annotations

import gzip
import io
import lzma
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.artifacts.errors import ArtifactError
from delegate_core.artifacts.sources import Format
from delegate_core.artifacts.unpack import PROGRAM, Stopped, unpack

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Pack = Callable[[bytes], bytes]
SINGLE: dict[Format, Pack] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
TARS: dict[Format, Pack] = {"tar": bytes, "tar.gz": gzip.compress, "tar.xz": lzma.compress, "tar.zst": zstd.compress}


def member(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for one, content in members:
            one.size = len(content)
            archive.addfile(one, io.BytesIO(content))
    return buffer.getvalue()


def zipped(members: dict[str, bytes], mode: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            one = zipfile.ZipInfo(name)
            one.external_attr = mode << 16
            archive.writestr(one, content)
    return buffer.getvalue()


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., Path]:
    def run(data: bytes, packed: Format, limit: int = 10_000_000) -> Path:
        file, folder = tmp_path / "file", tmp_path / "folder"
        file.write_bytes(data)
        folder.mkdir()
        unpack(file, packed, folder, size_limit=limit, stop=threading.Event())
        return folder

    return run


def is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o111)


@pytest.mark.parametrize("packed", SINGLE)
def test_a_single_file_becomes_the_program(unpacked: Callable[..., Path], packed: Format) -> None:
    content = b"#!/bin/sh\n" + bytes(range(256)) * 4000
    program = unpacked(SINGLE[packed](content), packed) / PROGRAM
    assert program.read_bytes() == content
    assert is_executable(program)


@pytest.mark.parametrize("packed", TARS)
def test_an_archive_keeps_names_links_and_who_may_be_executed(unpacked: Callable[..., Path], packed: Format) -> None:
    data = tar(
        (member("./tool/", tarfile.DIRTYPE), b""),
        (member("tool/bin/run", mode=0o4755), b"run"),
        (member("tool/share/data"), b"data" * 100_000),
        (member("tool/bin/again", tarfile.SYMTYPE, link="run"), b""),
        (member("tool/bin/up", tarfile.SYMTYPE, link="../share/data"), b""),
        (member("tool/hard", tarfile.LNKTYPE, link="tool/bin/run"), b""),
    )
    folder = unpacked(TARS[packed](data), packed)
    assert (folder / "tool/bin/again").read_bytes() == b"run"
    assert len((folder / "tool/bin/up").read_bytes()) == 400_000
    assert (folder / "tool/hard").read_bytes() == b"run"
    assert is_executable(folder / "tool/bin/run")
    assert is_executable(folder / "tool/hard")
    assert not is_executable(folder / "tool/share/data")
    assert (folder / "tool/bin/run").stat().st_mode & 0o7000 == 0, "no set-uid bit survives"


def test_a_zip_keeps_who_may_be_executed(unpacked: Callable[..., Path]) -> None:
    folder = unpacked(zipped({"a/": b"", "a/run": b"x"}, 0o100755), "zip")
    assert is_executable(folder / "a/run")


OUTSIDE = "would lie outside its folder"
LEADS_OUT = "may lead out of its folder"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "dot-dot": (tar((member("../evil"), b"x")), OUTSIDE),
    "dot-dot within": (tar((member("a/../../evil"), b"x")), OUTSIDE),
    "absolute": (tar((member("/tmp/evil"), b"x")), OUTSIDE),
    "a name too long for a disk": (tar((member("a" * 300), b"x")), "too long"),
    "a path too long": (tar((member("abcdefgh/" * 100 + "x" * 2000), b"x")), "too long"),
    "folders without end": (tar((member("d/" * 1500 + "x"), b"x")), "nested too deeply"),
    "a link to a name too long": (tar((member("l", tarfile.SYMTYPE, link="t" * 5000), b"")), "too long"),
    "backslash": (tar((member("..\\evil"), b"x")), OUTSIDE),
    "link out": (tar((member("l", tarfile.SYMTYPE, link="../x"), b"")), LEADS_OUT),
    "absolute link": (tar((member("l", tarfile.SYMTYPE, link="/etc"), b"")), LEADS_OUT),
    "down and up": (
        tar((member("a", tarfile.SYMTYPE, link="."), b""), (member("l", tarfile.SYMTYPE, link="a/../x"), b"")),
        LEADS_OUT,
    ),
    "through a link": (
        tar((member("l", tarfile.SYMTYPE, link="d"), b""), (member("l/x"), b"x")),
        "within what is no folder",
    ),
    "over a link": (tar((member("l", tarfile.SYMTYPE, link="d"), b""), (member("l"), b"x")), "'l' twice"),
    "hard link out": (tar((member("h", tarfile.LNKTYPE, link="/etc/passwd"), b"")), OUTSIDE),
    "hard link to a link": (
        tar((member("l", tarfile.SYMTYPE, link="x"), b""), (member("h", tarfile.LNKTYPE, link="l"), b"")),
        "is no file of it",
    ),
    "device": (tar((member("null", tarfile.CHRTYPE), b"")), "a device or pipe"),
    "pipe": (tar((member("pipe", tarfile.FIFOTYPE), b"")), "a device or pipe"),
    "file as folder": (tar((member("a"), b"x"), (member("a/b"), b"x")), "within what is no folder"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_leave_the_folder_is_refused(unpacked: Callable[..., Path], name: str, tmp_path: Path) -> None:
    data, complaint = HOSTILE[name]
    with pytest.raises(ArtifactError, match=complaint):
        unpacked(data, "tar")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_a_zip_that_would_leave_the_folder_is_refused(unpacked: Callable[..., Path], name: str) -> None:
    with pytest.raises(ArtifactError, match=OUTSIDE):
        unpacked(zipped({name: b"x"}), "zip")


def test_a_link_in_a_zip_is_held_to_the_same(unpacked: Callable[..., Path]) -> None:
    with pytest.raises(ArtifactError, match=LEADS_OUT):
        unpacked(zipped({"l": b"../../etc"}, 0o120777), "zip")


@pytest.mark.parametrize("packed", ["gzip", "xz", "zstd"])
def test_a_bomb_stops_at_the_limit(unpacked: Callable[..., Path], packed: Format, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="more than 1,000,000 bytes come out of it; raise size_limit"):
        unpacked(SINGLE[packed](bytes(20_000_000)), packed, 1_000_000)
    assert (tmp_path / "folder" / PROGRAM).stat().st_size <= 1_000_000


def test_a_bomb_in_an_archive_stops_at_the_limit_of_all_members_together(unpacked: Callable[..., Path]) -> None:
    with pytest.raises(ArtifactError, match="more than 1,000,000 bytes"):
        unpacked(zipped({f"{number}": bytes(400_000) for number in range(5)}), "zip", 1_000_000)


def test_a_header_of_megabytes_is_refused_before_it_is_read(unpacked: Callable[..., Path]) -> None:
    with pytest.raises(ArtifactError, match="a header of 2,000,000 bytes"):
        unpacked(tar((member("x", tarfile.XHDTYPE), b" " * 2_000_000), (member("x"), b"")), "tar")


@pytest.mark.parametrize("packed", [*list(SINGLE)[1:], *list(TARS), "zip"])
def test_a_file_that_is_cut_or_of_another_kind_is_damaged_and_not_half_unpacked(
    unpacked: Callable[..., Path], packed: Format, tmp_path: Path
) -> None:
    archive = tar((member("a"), b"x" * 5000))
    whole = zipped({"a": b"x" * 5000}) if packed == "zip" else {**SINGLE, **TARS}[packed](archive)
    with pytest.raises(ArtifactError, match="is no sound"):
        unpacked(whole[: len(whole) // 2], packed)
    (tmp_path / "folder").rename(tmp_path / "first")
    with pytest.raises(ArtifactError, match="is no sound"):
        unpacked(b"<html>not found</html>" * 50, packed)


def test_an_encrypted_zip_is_named(unpacked: Callable[..., Path]) -> None:
    data = bytearray(zipped({"a": b"x"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    with pytest.raises(ArtifactError, match="encrypted"):
        unpacked(bytes(data), "zip")


def test_a_zip_whose_directory_points_before_its_beginning_is_damaged(unpacked: Callable[..., Path]) -> None:
    data = bytearray(zipped({"a": b"x"}))
    data[-6:-2] = (len(data) * 2).to_bytes(4, "little")  # where the directory is, by which all other places are shifted
    with pytest.raises(ArtifactError, match="is no sound zip file"):
        unpacked(bytes(data), "zip")


def test_it_stops_when_told_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        unpack(tmp_path / "file", "plain", tmp_path / "folder", size_limit=10, stop=stop)


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "", "a\\b", "é"]), min_size=1, max_size=4).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(NAMES, KINDS, NAMES), max_size=7))
def test_no_archive_whatever_writes_or_points_outside(members: list[tuple[str, bytes, str]]) -> None:
    data = tar(*((member(name or "x", kind, link=link), b"") for name, kind, link in members))
    with TemporaryDirectory() as place:
        outer = Path(place).resolve()
        (outer / "file").write_bytes(data)
        folder = outer / "in" / "folder"
        folder.mkdir(parents=True)
        with suppress(ArtifactError):
            unpack(outer / "file", "tar", folder, size_limit=1000, stop=threading.Event())
        assert {path.name for path in outer.iterdir()} == {"file", "in"}
        assert [path.name for path in (outer / "in").iterdir()] == ["folder"]
        for path in folder.rglob("*"):
            assert path.is_symlink() or path.is_file() or path.is_dir()
            try:
                target = path.resolve(strict=True)
            except FileNotFoundError:
                target = path.resolve()
            except (RuntimeError, OSError):  # a loop of links leads nowhere
                continue
            assert target.is_relative_to(folder)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([*SINGLE, *TARS, "zip"]))
def test_any_bytes_are_unpacked_or_refused_and_never_a_crash(data: bytes, packed: Format) -> None:
    with TemporaryDirectory() as place:
        (Path(place) / "file").write_bytes(data)
        folder = Path(place) / "folder"
        folder.mkdir()
        with suppress(ArtifactError):
            unpack(Path(place) / "file", packed, folder, size_limit=1000, stop=threading.Event())
        assert {path.name for path in Path(place).iterdir()} == {"file", "folder"}
        assert sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) <= 1000
