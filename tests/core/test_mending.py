"""A damaged journal is mended: what can be read is taken over, and what it was is kept."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.errors import StateError
from delegate_core.history import History
from delegate_core.journal import Journal
from delegate_core.mending import Mended, mend
from delegate_core.model import Delivery, Entry, Offer, SessionIdentity, TaskResult
from delegate_core.statefolder import JOURNAL_FILE, StateFolder

SESSION = SessionIdentity(server="https://ci.example", account="acme", runner_id="r1")
TASKS = 150
PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a runner with a history, and a result in every tenth place that was not delivered."""
    path = tmp_path_factory.mktemp("state")

    async def fill() -> None:
        with StateFolder(path) as folder, Journal(folder) as journal:
            journal.instance()
            for position in range(TASKS):
                number = await journal.intend(Offer(f"t{position}", "fib", "x" * 300), SESSION)
                await journal.finished(number, TaskResult.succeeded(position))
                if position % 10:
                    journal.settled(number, Delivery())

    anyio.run(fill)
    return path


def entries(path: Path) -> dict[int, Entry]:
    return {entry.number: entry for entry in History(path).entries(TASKS)}


def mended(sound: Path, place: Path, spoil: Callable[[bytearray], None]) -> Mended | None:
    """The journal, damaged like this, mended in this place."""
    content = bytearray((sound / JOURNAL_FILE).read_bytes())
    spoil(content)
    place.mkdir(exist_ok=True)
    (place / JOURNAL_FILE).write_bytes(content)
    found = mend(place)
    if found is not None:
        assert (found.aside / JOURNAL_FILE).read_bytes() == bytes(content)
        assert (place / JOURNAL_FILE).stat().st_mode & 0o777 == 0o600
    return found


def noise(page: int, words: bytes) -> Callable[[bytearray], None]:
    def spoil(content: bytearray) -> None:
        begin = page % (len(content) // PAGE) * PAGE
        content[begin : begin + PAGE] = (words * PAGE)[:PAGE]

    return spoil


def test_what_is_on_other_pages_is_taken_over_and_the_next_start_goes_on_with_it(sound: Path, tmp_path: Path) -> None:
    found = mended(sound, tmp_path, noise(10, b"\xa5"))
    before, after = entries(sound), entries(tmp_path)
    assert found is not None
    assert found.lost
    assert TASKS - found.lost <= len(after) == found.tasks < TASKS
    assert all(before[number] == entry for number, entry in after.items())
    assert len(History(tmp_path).outbox()) == found.undelivered > 10
    assert History(tmp_path).instance() == History(sound).instance()

    async def start() -> None:
        with StateFolder(tmp_path) as folder, Journal(folder) as journal:
            assert await journal.intend(Offer("next", "fib"), SESSION) == TASKS + 1

    anyio.run(start)


@settings(max_examples=12, deadline=None)
@given(page=st.integers(0, 200), words=st.binary(min_size=1, max_size=8))
def test_whatever_page_is_damaged_there_is_a_journal_again_and_nothing_false_in_it(
    sound: Path, page: int, words: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "state"
        if mended(sound, place, noise(page, words)) is not None:
            before = entries(sound)
            assert all(before[number] == entry for number, entry in entries(place).items())


def test_a_file_that_is_no_journal_gives_an_empty_one(sound: Path, tmp_path: Path) -> None:
    def all_of_it(content: bytearray) -> None:
        content[:] = b"no journal" * 1000

    found = mended(sound, tmp_path, all_of_it)
    assert found is not None
    assert (found.tasks, found.undelivered, found.lost) == (0, 0, None)
    assert entries(tmp_path) == {}


def test_a_sound_journal_is_left_alone(sound: Path, tmp_path: Path) -> None:
    assert mended(sound, tmp_path, lambda _: None) is None
    assert (tmp_path / JOURNAL_FILE).read_bytes() == (sound / JOURNAL_FILE).read_bytes()
    assert list(tmp_path.glob("damaged-*")) == []


def test_without_a_journal_there_is_nothing_to_mend(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no journal in"):
        mend(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_the_journal_of_a_runner_that_runs_is_not_touched(sound: Path) -> None:
    with StateFolder(sound), pytest.raises(StateError, match="in use by process"):
        mend(sound)


def test_a_task_that_no_runner_could_read_is_not_taken_over(sound: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other")) as other, closing(sqlite3.connect(sound / JOURNAL_FILE)) as good:
        good.backup(other)
        other.execute("UPDATE entries SET phase = 'confused' WHERE number = 3")
        other.commit()
    (tmp_path / "other").rename(tmp_path / JOURNAL_FILE)
    assert mended(tmp_path, tmp_path / "state", noise(10, b"\xa5")) is not None
    assert 3 not in entries(tmp_path / "state")


def version(number: int) -> Callable[[bytearray], None]:
    """Damages a page, and has the file say that it is of this version: where SQLite's file format keeps it."""

    def spoil(content: bytearray) -> None:
        noise(10, b"\xa5")(content)
        content[60:64] = number.to_bytes(4, "big")

    return spoil


def test_a_damaged_journal_of_a_newer_version_is_left_to_the_program_that_wrote_it(sound: Path, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="has version 99, this program mends 2; use the program that wrote it"):
        mended(sound, tmp_path, version(99))
    assert list(tmp_path.glob("damaged-*")) == []


def test_rows_that_do_not_fit_are_counted_as_lost(sound: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other")) as other, closing(sqlite3.connect(sound / JOURNAL_FILE)) as good:
        good.backup(other)
        other.execute("ALTER TABLE entries ADD COLUMN strange TEXT")
        other.commit()
    (tmp_path / "other").rename(tmp_path / JOURNAL_FILE)
    found = mended(tmp_path, tmp_path / "state", noise(10, b"\xa5"))
    assert found is not None
    assert found.lost is not None
    assert (found.tasks, found.lost >= TASKS) == (0, True)
