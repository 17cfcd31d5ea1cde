"""A spool keeps the end of a log within its limit, on real files."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.logs import LogLine, Spool

KIB = 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tasks" / "spool"


def lines(*texts: str, start: int = 0) -> list[LogLine]:
    return [LogLine(position, 1000.5 + position, "info", text) for position, text in enumerate(texts, start)]


def fill(spool: Spool, count: int, width: int = 90) -> None:
    for _ in range(count // 10):
        start = spool.lines
        spool.append(lines(*(f"{start + n:08} ".ljust(width, ".") for n in range(10)), start=start))


def read_all(spool: Spool, step: int = 7) -> list[LogLine]:
    found: list[LogLine] = []
    while batch := spool.read(found[-1].position + 1 if found else 0, max_lines=step):
        found += batch
    return found


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Make the kernel refuse to let a file of this process grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_lines_come_back_as_they_were(folder: Path) -> None:
    printed = lines("plain", "", "é€😀", 'quotes " and \\', "bell\x07 and \r return", "\ud800 lone", "\u2028")
    spool = Spool(folder)

    spool.append(printed)

    assert spool.read() == printed
    assert (spool.lines, spool.first, spool.dropped, spool.error) == (7, 0, (0, 0), None)


def test_nothing_is_created_before_the_first_line_and_then_for_the_owner_alone(folder: Path) -> None:
    spool = Spool(folder)
    assert (spool.read(), spool.lines, spool.first) == ([], 0, 0)
    spool.append([])
    assert not folder.parent.exists()

    spool.append(lines("one"))

    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_the_end_is_kept_and_the_loss_is_known_when_ten_times_the_limit_is_printed(folder: Path) -> None:
    spool = Spool(folder, limit=64 * KIB)
    largest = 0
    for _ in range(70):
        fill(spool, 100)
        largest = max(largest, sum(line.size for line in read_all(spool)))

    assert 48 * KIB < largest <= 64 * KIB
    kept = read_all(spool)
    assert [line.position for line in kept] == list(range(spool.first, 7000))
    assert kept[0].text.startswith(f"{spool.first:08} ")
    assert spool.dropped == (spool.first, spool.first * 91)


def test_one_append_larger_than_the_limit_keeps_its_end(folder: Path) -> None:
    spool = Spool(folder, limit=8 * KIB)

    spool.append(lines(*(str(n) * 20 for n in range(2000))))

    assert 6 * KIB < sum(line.size for line in read_all(spool)) <= 8 * KIB
    assert spool.read(1999) == lines("1999" * 20, start=1999)
    assert spool.dropped.lines == spool.first > 1800


def test_on_disk_the_shortest_lines_take_eight_times_the_limit_at_most(folder: Path) -> None:
    spool = Spool(folder, limit=8 * KIB)
    for start in range(0, 20_000, 1000):
        spool.append(lines(*[""] * 1000, start=start))

    assert 48 * KIB < on_disk(folder) <= 64 * KIB


def test_a_single_line_longer_than_the_limit_is_kept_alone(folder: Path) -> None:
    spool = Spool(folder, limit=KIB)

    spool.append(lines("small", "x" * 5000))

    assert spool.read() == lines("x" * 5000, start=1)


@settings(max_examples=30)
@given(st.integers(0, 1200), st.integers(1, 50), st.integers(1, 3000))
def test_reading_starts_at_any_position_and_keeps_both_bounds(
    tmp_path_factory: pytest.TempPathFactory, start: int, max_lines: int, max_bytes: int
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"), limit=64 * KIB)
    fill(spool, 1000)

    found = spool.read(start, max_lines, max_bytes)

    begin = max(start, spool.first)
    end = min(begin + min(max_lines, max(1, max_bytes // 91)), 1000)
    assert [line.position for line in found] == list(range(begin, end))


def test_a_killed_process_leaves_a_spool_that_opens_again(folder: Path) -> None:
    spool = Spool(folder, limit=64 * KIB)
    fill(spool, 3000)
    spool.close()

    again = Spool.open(folder, limit=64 * KIB)

    assert read_all(again) == read_all(spool)
    assert (again.lines, again.first, again.dropped) == (spool.lines, spool.first, spool.dropped)


@pytest.mark.parametrize("torn", [b'[2, 1002.5, "in', b'[2, 1002.5, "info"]\n', b"\x00" * 50, b"null\n", b"\n"])
def test_a_torn_last_line_is_dropped_and_writing_goes_on_behind_the_whole_ones(folder: Path, torn: bytes) -> None:
    spool = Spool(folder)
    spool.append(lines("one", "two"))
    spool.close()
    [path] = folder.iterdir()
    with path.open("ab") as file:
        file.write(torn)

    again = Spool.open(folder)
    assert again.read() == lines("one", "two")
    again.append(lines("three", start=2))

    assert again.read() == Spool.open(folder).read() == lines("one", "two", "three")
    assert [json.loads(line)[3] for line in path.read_text().splitlines()] == ["one", "two", "three"]


def test_opening_passes_over_files_of_others_and_an_absent_folder(folder: Path) -> None:
    assert Spool.open(folder).lines == 0
    folder.mkdir(parents=True)
    (folder / "notes.jsonl").write_text("hello\n")

    assert Spool.open(folder).read() == []


def test_a_full_disk_is_counted_and_told_and_the_log_goes_on_when_there_is_room(folder: Path) -> None:
    spool = Spool(folder)
    spool.append(lines("first"))
    with largest_file(on_disk(folder) + 20):
        spool.append(lines("x" * 100, "y" * 100, start=1))
        torn = on_disk(folder)

    spool.append(lines("last", start=3))

    assert spool.read() == [*lines("first"), *lines("last", start=3)]
    assert spool.dropped == (2, 202)
    assert spool.error == f"2 lines could not be stored in {folder}: File too large"
    assert torn == len(next(folder.iterdir()).read_bytes().splitlines(keepends=True)[0])
    assert Spool.open(folder).dropped.lines == 2


def test_a_folder_that_cannot_be_made_does_not_hurt_the_task(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file" / "spool")

    spool.append(lines("one"))

    assert (spool.read(), spool.lines, spool.first, spool.dropped) == ([], 1, 1, (1, 4))
    assert spool.error is not None
    assert spool.error.endswith("Not a directory")


def test_a_line_out_of_order_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="goes on at line 0, not 5"):
        Spool(folder).append(lines("x", start=5))


def test_a_removed_spool_leaves_nothing(folder: Path) -> None:
    spool = Spool(folder)
    spool.append(lines("one"))

    spool.remove()
    spool.remove()

    assert not folder.exists()
    assert (spool.read(), spool.lines, spool.first, spool.dropped) == ([], 1, 1, (1, 4))
