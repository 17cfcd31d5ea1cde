"""A task's output reaches the sink whole, masked, in order and in batches."""

import logging
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from delegate_core.backoff import Backoff
from delegate_core.errors import Retry
from delegate_core.logs import LogLine, Mask, Spool, TaskLog
from tests.logs.sinks import ManualSleep, MemorySink, no_sleep

pytestmark = pytest.mark.anyio


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@asynccontextmanager
async def pumped(log: TaskLog, sink: MemorySink) -> AsyncIterator[None]:
    """The pump runs within; at the end the log is closed and the pump must come to its end."""
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(log.pump, sink)
            yield
            log.close()


def texts(spool: Spool) -> list[str]:
    return [line.text for line in spool.read()]


async def test_the_first_line_goes_out_without_waiting_for_more(spool: Spool) -> None:
    log, sink = TaskLog(spool, Mask(), clock=lambda: 12.5, sleep=no_sleep), MemorySink()
    async with pumped(log, sink):
        log.write(b"one\nunfinished")
        await sink.until(lambda: sink.lines == [LogLine(0, 12.5, "info", "one")])

    assert sink.texts == ["one", "unfinished"]


async def test_lines_wait_an_interval_for_company(spool: Spool) -> None:
    sleep, sink = ManualSleep(), MemorySink()
    log = TaskLog(spool, Mask(), sleep=sleep, interval=0.7)
    async with pumped(log, sink):
        log.write("one\n")
        await sleep.until_asleep()
        log.write("two\n")
        sleep.wake()
        await sink.until(lambda: len(sink.batches) == 1)

    assert sink.texts == ["one", "two"]
    assert sleep.asked == [0.7]


@pytest.mark.parametrize(("lines", "size"), [(3, 10_000), (1000, 3 * len("line 0\n"))])
async def test_full_batches_do_not_wait_but_the_rest_does(spool: Spool, lines: int, size: int) -> None:
    sleep, sink = ManualSleep(), MemorySink()
    log = TaskLog(spool, Mask(), sleep=sleep, batch_lines=lines, batch_bytes=size)
    async with pumped(log, sink):
        log.write("line 0\n")
        await sleep.until_asleep()
        log.write("".join(f"line {number}\n" for number in range(1, 8)))
        await sink.until(lambda: len(sink.batches) == 2)
        sleep.wake()

    assert [len(batch) for batch in sink.batches] == [3, 3, 2]
    assert sink.texts == [f"line {number}" for number in range(8)]


async def test_after_a_full_batch_the_next_line_waits_again(spool: Spool) -> None:
    sleep, sink = ManualSleep(), MemorySink()
    log = TaskLog(spool, Mask(), sleep=sleep, batch_bytes=10)
    async with pumped(log, sink):
        log.line("longer than a batch")
        await sink.until(lambda: len(sink.batches) == 1)
        log.line("short")
        await sleep.until_asleep()
        await anyio.wait_all_tasks_blocked()
        assert len(sink.batches) == 1

    assert sink.texts == ["longer than a batch", "short"]


async def test_a_closed_log_sends_the_rest_at_once_with_an_unfinished_line(spool: Spool) -> None:
    sleep, sink = ManualSleep(), MemorySink()
    log = TaskLog(spool, Mask(["hunter2"]), sleep=sleep)
    async with pumped(log, sink):
        log.write("one\nhunt")
        await sleep.until_asleep()

    assert sink.texts == texts(spool) == ["one", "hunt"]


async def test_a_silent_task_costs_neither_a_file_nor_a_timer(spool: Spool) -> None:
    sleep, sink = ManualSleep(), MemorySink()
    log = TaskLog(spool, Mask(["hunter2"]), sleep=sleep)
    async with pumped(log, sink):
        await anyio.wait_all_tasks_blocked()

    assert (sleep.asked, sink.batches, spool.folder.exists()) == ([], [], False)


async def test_nothing_wakes_while_nothing_is_printed(spool: Spool) -> None:
    sleep, sink = ManualSleep(), MemorySink()
    log = TaskLog(spool, Mask(), sleep=sleep)
    async with pumped(log, sink):
        log.line("one")
        await sleep.until_asleep()
        sleep.wake()
        await sink.until(lambda: len(sink.batches) == 1)
        await anyio.wait_all_tasks_blocked()

    assert len(sleep.asked) == 1


async def test_a_failing_sink_loses_nothing(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    asked = list[float]()

    async def sleep(seconds: float) -> None:
        asked.append(seconds)
        log.line(f"printed during sleep {len(asked)}")
        await no_sleep(seconds)

    sink = MemorySink(refuse=3)
    log = TaskLog(spool, Mask(["hunter2"]), sleep=sleep)
    async with pumped(log, sink):
        log.line("one")
        await sink.until(lambda: bool(sink.lines))
        log.close()

    assert [len(batch) for batch in sink.refused] == [2, 3, 4]
    assert sink.texts == texts(spool)
    assert sink.texts[:5] == ["one", *(f"printed during sleep {number}" for number in range(1, 5))]
    assert "said no to ******" in caplog.text


async def test_pauses_after_failures_grow_to_at_most_fifteen_seconds_and_begin_anew(spool: Spool) -> None:
    asked = list[float]()

    async def sleep(seconds: float) -> None:
        asked.append(seconds)
        await no_sleep(seconds)

    sink = MemorySink(refuse=30)
    log = TaskLog(spool, Mask(), sleep=sleep, interval=0.1, backoff=Backoff(most=15, random=lambda: 1.0))
    async with pumped(log, sink):
        log.line("one")
        await sink.until(lambda: bool(sink.lines))
        log.line("two")
        await sink.until(lambda: len(sink.lines) == 2)

    assert asked == [0.1, 0.5, 1, 2, 4, 8, *[15] * 25, 0.1]


async def test_a_pause_that_the_sink_asks_for_is_kept(spool: Spool) -> None:
    sleep, sink = ManualSleep(), MemorySink(refuse=1, fault=Retry("busy", after=70))
    log = TaskLog(spool, Mask(), sleep=sleep, interval=0.1, backoff=Backoff(random=lambda: 0.0))
    async with pumped(log, sink):
        log.line("one")
        await sleep.until_asleep()
        sleep.wake()
        await sink.until(lambda: bool(sink.refused))
        await sleep.until_asleep()

    assert sleep.asked == [0.1, 70]
    assert sink.texts == ["one"]


async def test_a_sink_that_still_fails_when_the_log_is_closed_ends_the_pump(spool: Spool) -> None:
    sleep, sink = ManualSleep(), MemorySink(refuse=1000)
    log = TaskLog(spool, Mask(), sleep=sleep, interval=0)
    async with pumped(log, sink):
        log.line("one")
        await sleep.until_asleep()
        sleep.wake()
        await sink.until(lambda: len(sink.refused) == 1)
        await sleep.until_asleep()

    assert len(sink.refused) == 2
    assert (await sink.finish(spool)).reason == "1 lines"


async def test_a_sink_that_hangs_never_holds_up_the_task(spool: Spool) -> None:
    log, sink = TaskLog(spool, Mask(), sleep=no_sleep), MemorySink(blocked=True)
    async with pumped(log, sink):
        log.line("first")
        await anyio.wait_all_tasks_blocked()
        for number in range(2000):
            log.line(str(number))
        assert (spool.lines, sink.batches) == (2001, [])
        sink.open()

    assert sink.texts == ["first", *map(str, range(2000))]


async def test_a_cancelled_pump_stops_even_within_a_hanging_sink(spool: Spool) -> None:
    log = TaskLog(spool, Mask(), sleep=no_sleep)
    log.line("one")
    with anyio.move_on_after(30) as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(log.pump, MemorySink(blocked=True))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    assert not scope.cancelled_caught


async def test_lines_that_the_spool_dropped_before_they_were_sent_are_counted_in_the_log(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "spool", limit=4096)
    log, sink = TaskLog(spool, Mask(), sleep=no_sleep), MemorySink(blocked=True)
    async with pumped(log, sink):
        log.line("first")
        await anyio.wait_all_tasks_blocked()
        log.write("".join(f"line {number}\n" for number in range(1, 1001)))
        sink.open()

    missing = spool.first - 1
    assert sink.texts == [
        "first",
        f"[{missing} lines are missing here]",
        *(f"line {number}" for number in range(spool.first, 1001)),
    ]
    assert sink.lines[1].level == "warn"
    assert [line.position for line in sink.lines[:3]] == [0, 1, spool.first]
    assert spool.dropped.lines == spool.first > 400


async def test_a_spool_that_can_store_nothing_still_tells_the_reader(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    log, sink = TaskLog(Spool(tmp_path / "file" / "spool"), Mask(), sleep=no_sleep), MemorySink()
    async with pumped(log, sink):
        log.line("one")

    assert sink.texts == ["[1 line is missing here]"]


async def test_memory_stays_bounded_while_a_task_prints_and_the_sink_hangs(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", limit=256 * 1024)
    log, sink = TaskLog(spool, Mask(["hunter2"]), sleep=no_sleep), MemorySink(blocked=True)
    chunk = b"a line of hunter2 that says nothing of interest to anybody\n" * 500
    async with pumped(log, sink):
        log.write(chunk)
        await anyio.wait_all_tasks_blocked()
        tracemalloc.start()
        for _ in range(100):
            log.write(chunk)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        sink.open()

    assert peak < 2_000_000 < 100 * len(chunk)
    assert sum(path.stat().st_size for path in spool.folder.iterdir()) <= 8 * 256 * 1024


async def test_a_secret_split_over_writes_is_hidden(spool: Spool) -> None:
    log = TaskLog(spool, Mask(["hunter2"]))
    for part in (b"password: hun", b"te", "r2", "\nhunter", "\n"):
        log.write(part)
    log.close()

    assert texts(spool) == ["password: ******", "hunter"]


async def test_levels_keep_their_lines_apart_however_they_interleave(spool: Spool) -> None:
    log = TaskLog(spool, Mask(["hunter2"]))
    log.write("out hun")
    log.write("err ", level="error")
    log.write("ter2\n")
    log.write("hunter2\n", level="error")
    log.close()

    assert [(line.level, line.text) for line in spool.read()] == [
        ("info", "out ******"),
        ("error", "err ******"),
    ]


async def test_a_secret_divided_between_levels_never_stands_in_one_line(spool: Spool) -> None:
    log = TaskLog(spool, Mask(["hunter2"]))
    log.write("hunt")
    log.write("er2", level="error")
    log.close()

    assert texts(spool) == ["hunt", "er2"]


async def test_a_message_leaves_an_unfinished_line_whole(spool: Spool) -> None:
    log = TaskLog(spool, Mask(["hunter2"]))
    log.write("half")
    log.line("a message with hunter2\nof two lines\n", level="info")
    log.write(" done\n")
    log.line("")

    assert texts(spool) == ["a message with ******", "of two lines", "half done", ""]


async def test_a_secret_known_later_is_hidden_from_then_on(spool: Spool) -> None:
    mask = Mask()
    log = TaskLog(spool, mask)
    log.write("hunter2\n")
    mask.add("hunter2")
    log.write("hunter2\n")

    assert texts(spool) == ["hunter2", "******"]


async def test_threads_may_print_and_every_line_arrives_once_and_in_its_threads_order(spool: Spool) -> None:
    log, sink = TaskLog(spool, Mask(["hunter2"]), sleep=no_sleep, batch_lines=50), MemorySink()

    def chatter(name: str) -> None:
        for number in range(300):
            log.line(f"{name} {number} hunter2")

    def all_chatter() -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(chatter, "abcd"))

    async with pumped(log, sink):
        await anyio.to_thread.run_sync(all_chatter)

    assert [line.position for line in sink.lines] == list(range(1200))
    for name in "abcd":
        assert [text for text in sink.texts if text.startswith(name)] == [f"{name} {n} ******" for n in range(300)]


async def test_a_thread_wakes_the_pump(spool: Spool) -> None:
    log, sink = TaskLog(spool, Mask(), sleep=no_sleep), MemorySink()
    async with pumped(log, sink):
        # Later, when the loop is asleep: nothing but the log itself may wake it.
        threading.Timer(0.05, log.line, ["from a thread"]).start()
        await sink.until(lambda: sink.texts == ["from a thread"])


async def test_printing_after_the_end_is_ignored(spool: Spool) -> None:
    log = TaskLog(spool, Mask())
    log.close()
    log.write("late\n")
    log.line("later")
    log.close()

    assert spool.lines == 0


async def test_a_secret_with_a_lone_surrogate_is_hidden(spool: Spool) -> None:
    log = TaskLog(spool, Mask(["pass\ud83dword"]))
    log.write("pass\ud83dword\n")
    log.line("pass\ud83dword")

    assert texts(spool) == ["******", "******"]


def raising(_line: LogLine) -> None:
    raise RuntimeError("a broken view")


async def test_an_observer_sees_each_line_masked(spool: Spool) -> None:
    seen: list[LogLine] = []
    log = TaskLog(spool, Mask(["hunter2"]), on_line=seen.append)
    log.write("one hunter2\ntwo")
    log.close()

    assert seen == spool.read()
    assert [line.text for line in seen] == ["one ******", "two"]


async def test_an_observer_that_fails_does_not_hurt_the_task(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    log = TaskLog(spool, Mask(), on_line=raising)
    with caplog.at_level(logging.ERROR):
        log.line("one")

    assert texts(spool) == ["one"]
    assert "an observer of log lines failed" in caplog.text


@pytest.mark.parametrize("text", ["lone \ud800 surrogate", "nul \x00 and bell \x07"])
@pytest.mark.parametrize("way", [TaskLog.line, lambda log, text: log.write(text + "\n")])
async def test_odd_characters_never_fail(spool: Spool, way: Callable[[TaskLog, str], None], text: str) -> None:
    way(TaskLog(spool, Mask(["hunter2"])), text)

    assert texts(spool) == [text.replace("\ud800", "\ufffd" * 3)]
