"""The cache: whole entries only, shared by processes, checked, pruned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from delegate_core.artifacts import ArtifactCache, ArtifactError
from delegate_core.artifacts.cache import Fill
from delegate_core.testing.bench import PATIENCE

KEY, OTHER = "a" * 64, "b" * 64


async def fill(folder: Path) -> str:
    await anyio.to_thread.run_sync((folder / "program").write_text, "content")
    return "a test"


def filling(text: str, runs: list[str]) -> Fill:
    async def fill_it(folder: Path) -> str:
        runs.append(text)
        await anyio.to_thread.run_sync((folder / "program").write_text, text)
        return "a test"

    return fill_it


async def get(cache: ArtifactCache, key: str = KEY, fill: Fill = fill, log: Callable[[str], None] = print) -> str:
    with anyio.fail_after(PATIENCE):
        async with cache.entry(key, fill, log=log) as folder:
            return await anyio.to_thread.run_sync((folder / "program").read_text)


async def test_an_entry_is_filled_once_and_is_there_for_the_next_process(tmp_path: Path) -> None:
    runs: list[str] = []
    for _ in range(2):
        cache = ArtifactCache(tmp_path)
        assert await get(cache, fill=filling("x", runs)) == "x"
    assert runs == ["x"]


async def test_tasks_that_want_the_same_at_once_fill_it_once(tmp_path: Path) -> None:
    runs: list[str] = []
    got: list[str] = []
    said: list[str] = []
    started, go_on = anyio.Event(), anyio.Event()

    async def slowly(folder: Path) -> str:
        started.set()
        await go_on.wait()
        return await filling("x", runs)(folder)

    def note(text: str) -> None:
        said.append(text)
        go_on.set()

    async def want() -> None:
        got.append(await get(ArtifactCache(tmp_path), fill=slowly, log=note))

    async with anyio.create_task_group() as group:
        group.start_soon(want)
        await started.wait()
        group.start_soon(want)
    assert got == ["x", "x"]
    assert runs == ["x"]
    assert "waiting for it to be fetched" in said


async def test_what_fails_while_it_is_filled_leaves_nothing(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)

    async def fail(folder: Path) -> str:
        await fill(folder)
        raise ArtifactError("the network is away")

    with pytest.raises(ArtifactError, match="the network is away"):
        await get(cache, fill=fail)
    assert cache.entries() == []
    assert not list((tmp_path / "partial").iterdir())


@pytest.mark.parametrize("how", ["changed", "added", "removed", "record", "mode"])
async def test_an_entry_that_was_changed_is_found_out_and_fetched_again(tmp_path: Path, how: str) -> None:
    runs: list[str] = []
    said: list[str] = []
    cache = ArtifactCache(tmp_path)
    await get(cache, fill=filling("x", runs))
    entry = tmp_path / "entries" / KEY
    program = entry / "content" / "program"
    program.chmod(0o644)
    match how:
        case "changed":
            program.write_text("y")
        case "added":
            (entry / "content" / "more").write_text("z")
        case "removed":
            program.unlink()
        case "record":
            (entry / "entry.json").write_text("{")
            cache = ArtifactCache(tmp_path)
        case "mode":
            program.chmod(0o777)
    assert await get(cache, fill=filling("x", runs), log=said.append) == "x"
    assert runs == ["x", "x"]
    assert said == ["what is in the cache was changed or damaged: fetching it again"]


async def test_an_entry_is_private_whatever_the_umask_and_its_files_are_not_writable(tmp_path: Path) -> None:
    cache, before = ArtifactCache(tmp_path / "new"), os.umask(0)
    try:
        await get(cache)
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "entries").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "entries" / KEY / "content" / "program").stat().st_mode & 0o222 == 0


_KILLED = """
import os, signal, sys, anyio
from pathlib import Path
from delegate_core.artifacts import ArtifactCache

async def fill(folder):
    (folder / "program").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with ArtifactCache(Path(sys.argv[1])).entry("a" * 64, fill, log=print):
        pass

anyio.run(main)
"""


async def test_a_process_that_is_killed_while_it_fills_leaves_no_hit_and_no_lock(tmp_path: Path) -> None:
    done = await anyio.run_process([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert (tmp_path / "partial" / KEY / "content" / "program").exists()
    cache = ArtifactCache(tmp_path)
    assert cache.entries() == []
    assert await get(cache) == "content"
    assert not list((tmp_path / "partial").iterdir())


_HELD = """
import sys, anyio
from pathlib import Path
from delegate_core.artifacts import ArtifactCache

async def main():
    async with ArtifactCache(Path(sys.argv[1])).entry("a" * 64, None, log=print):
        print("held", flush=True)
        sys.stdin.readline()

anyio.run(main)
"""


async def test_an_entry_in_use_by_another_process_is_not_pruned(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    await get(cache)
    await get(cache, OTHER)
    command = [sys.executable, "-c", _HELD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # noqa: ASYNC220
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert {entry.key: entry.in_use for entry in cache.entries()} == {KEY: True, OTHER: False}
        assert [entry.key for entry in cache.prune()] == [OTHER]
        assert [entry.key for entry in cache.entries()] == [KEY]
        other.communicate("\n")
    assert [entry.key for entry in cache.prune()] == [KEY]
    assert not list((tmp_path / "locks").iterdir())


async def test_pruning_takes_the_longest_unused_first_and_stops_at_a_size_or_an_age(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    for number, key in enumerate("abc"):
        await get(cache, key * 64)
        os.utime(tmp_path / "entries" / (key * 64) / "used", (1000 + number, 1000 + number))
    assert [entry.key[0] for entry in cache.entries()] == ["c", "b", "a"]
    assert [entry.key[0] for entry in cache.prune(keep=14, dry_run=True)] == ["a"]
    assert [entry.key[0] for entry in cache.prune(keep=14)] == ["a"]
    assert cache.prune(unused_for=10_000_000_000) == []
    assert [entry.key[0] for entry in cache.prune()] == ["b", "c"]


async def test_pruning_sweeps_what_a_killed_runner_left(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    await get(cache)
    (tmp_path / "partial" / OTHER / "content").mkdir(parents=True)
    cache.prune(keep=1_000_000)
    assert not (tmp_path / "partial" / OTHER).exists()
    assert len(cache.entries()) == 1


async def test_a_cache_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    await get(ArtifactCache(tmp_path))
    (tmp_path / "entries").chmod(0o777)
    with pytest.raises(ArtifactError, match=r"entries cannot be used: others may write to it; own it and chmod go-w"):
        await get(ArtifactCache(tmp_path))


async def test_pruning_a_folder_that_is_no_cache_deletes_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "entries" / "my-thesis").mkdir(parents=True)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "mine").write_text("")
    assert ArtifactCache(tmp_path).prune() == []
    assert (tmp_path / "entries" / "my-thesis").is_dir()
    assert (tmp_path / "locks" / "mine").exists()


async def test_a_folder_that_cannot_be_used_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"cannot be used: .*--cache-dir"):
        await get(ArtifactCache(tmp_path / "file" / "cache"))


def test_the_command_lists_and_prunes_as_table_and_as_json(tmp_path: Path) -> None:
    anyio.run(get, ArtifactCache(tmp_path))

    def delegate(*arguments: str) -> str:
        command = [sys.executable, "-m", "delegate_core", "cache", *arguments, "--cache-dir", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "a test" in delegate("list")
    (entry,) = json.loads(delegate("list", "--json"))
    assert (entry["key"], entry["source"], entry["size"], entry["in_use"]) == (KEY, "a test", 7, False)
    assert "would delete" in delegate("prune", "--dry-run")
    assert [one["key"] for one in json.loads(delegate("prune", "--json"))] == [KEY]
    assert delegate("list", "--json") == "[]\n"
    assert "the cache is empty" in delegate("list")


async def test_folders_in_one_another_beyond_any_walk_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    async def deep(folder: Path) -> str:
        await anyio.to_thread.run_sync(_nested, folder, 1500)
        return "a test"

    cache = ArtifactCache(tmp_path)
    with pytest.raises(ArtifactError, match="nested too deeply"):
        await get(cache, fill=deep)
    assert [*(tmp_path / "partial").iterdir(), *(tmp_path / "entries").iterdir()] == []


def _nested(folder: Path, levels: int) -> None:
    """Make folders in one another; no path to the last of them could be used."""
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=descriptor)
        deeper = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)


async def test_what_was_half_deleted_goes_when_the_cache_is_pruned(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    await get(cache)
    left = tmp_path / "entries" / ".gone-1" / "0"
    left.mkdir(parents=True)
    cache.prune()
    assert [*(tmp_path / "entries").iterdir()] == []
