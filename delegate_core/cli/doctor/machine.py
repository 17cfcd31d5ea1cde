"""What this machine has to spare."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import anyio.to_thread
from pydantic import ByteSize

from delegate_core.cli.doctor.state import nearest_folder
from delegate_core.diagnosis import Finding
from delegate_core.machine import free_disk, free_memory

__all__ = ["disk", "memory", "temporary_folder"]

_FEW = 256 * 1024 * 1024
"""Bytes below which builds are likely to fail."""


async def disk(folder: Path, threshold: int, option: str) -> Finding:
    """Whether there is room where this folder is, or will be; the option is what chooses another."""
    return await anyio.to_thread.run_sync(_disk, nearest_folder(folder), threshold, option, abandon_on_cancel=True)


def _disk(place: Path, threshold: int, option: str) -> Finding:
    free, files = free_disk(place), os.statvfs(place)
    seen = f"{_size(free)} free in {place}"
    cure = f"remove what is not needed there, or choose another place with {option}"
    if files.f_files and not files.f_favail:
        return Finding.problem(f"no file can be made in {place}: its file system has no inode left", cure)
    if free < threshold:
        return Finding.problem(f"{seen}, less than min_free_disk ({_size(threshold)}): no task is taken", cure)
    if free < max(_FEW, threshold + threshold // 10):
        return Finding.warning(seen, cure)
    return Finding.ok(seen)


async def memory(threshold: int) -> Finding:
    """Whether there is memory for tasks."""
    free = free_memory()
    seen = f"{_size(free)} available"
    cure = "end what is not needed on this machine, or lower --capacity"
    if free < threshold:
        return Finding.problem(f"{seen}, less than min_free_memory ({_size(threshold)}): no task is taken", cure)
    return Finding.warning(seen, cure) if free < _FEW else Finding.ok(seen)


async def temporary_folder() -> Finding:
    """Whether builds have a place for their folders."""
    return await anyio.to_thread.run_sync(_temporary, abandon_on_cancel=True)


def _temporary() -> Finding:
    cure = "make room there, or set TMPDIR to a folder that this user may write"
    try:
        place = Path(tempfile.gettempdir())
        with tempfile.TemporaryFile(dir=place):
            free = free_disk(place)
    except OSError as error:
        return Finding.problem(f"cannot write: {error.strerror or error}", cure)
    seen = f"{_size(free)} free in {place}"
    return Finding.warning(seen, cure) if free < _FEW else Finding.ok(seen)


def _size(count: int) -> str:
    return ByteSize(count).human_readable()
