"""``delegate cache``: what was downloaded to be executed, and deleting it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from delegate_core.artifacts import ArtifactCache, ArtifactError, CacheEntry
from delegate_core.cli.tables import print_table
from delegate_core.console.durations import duration
from delegate_core.console.visible import visible
from delegate_core.errors import SettingsError
from delegate_core.settings import RunnerSettings, find_file, load

__all__ = ["list_cache", "open_cache", "prune_cache"]


def open_cache(cache_dir: Path | None) -> ArtifactCache:
    """The cache of the settings, or the one that is named."""
    file = find_file(None, os.environ, Path.cwd())
    settings = load(RunnerSettings, flags={"cache_dir": cache_dir}, environ=os.environ, file=file).values
    return ArtifactCache(settings.cache_dir)


def list_cache(cache: ArtifactCache, *, as_json: bool) -> int:
    """Print the entries, the most recently used first."""
    entries = _checked(cache.entries)
    if as_json:
        _print_json(entries)
    elif not entries:
        sys.stdout.write(f"the cache is empty: {cache.folder}\n")
    else:
        rows = [(entry.key[:12], _size(entry.size), _age(entry), entry.source) for entry in entries]
        print_table(("KEY", "SIZE", "USED", "FROM"), rows)
        total = sum(entry.size for entry in entries)
        sys.stdout.write(f"{len(entries)} entries, {_size(total)} in {cache.folder}\n")
    return 0


def prune_cache(cache: ArtifactCache, *, unused_for: float, keep: int, dry_run: bool, as_json: bool) -> int:
    """Delete what no task uses, and print it."""
    gone = _checked(lambda: cache.prune(unused_for=unused_for, keep=keep, dry_run=dry_run))
    if as_json:
        _print_json(gone)
        return 0
    verb = "would delete" if dry_run else "deleted"
    for entry in gone:
        sys.stdout.write(f"{verb} {entry.key[:12]}  {_size(entry.size)}  {visible(entry.source)}\n")
    sys.stdout.write(f"{verb} {len(gone)} entries, {_size(sum(entry.size for entry in gone))}\n")
    return 0


def _checked(work: Callable[[], list[CacheEntry]]) -> list[CacheEntry]:
    try:
        return work()
    except ArtifactError as error:
        raise SettingsError(str(error)) from None


def _print_json(entries: Sequence[CacheEntry]) -> None:
    sys.stdout.write(json.dumps([asdict(entry) for entry in entries], indent=2 if entries else None) + "\n")


def _age(entry: CacheEntry) -> str:
    return "now" if entry.in_use else f"{duration(max(0.0, time.time() - entry.used))} ago"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
