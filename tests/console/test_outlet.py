"""A stream that is slow or gone does not hurt who writes to it."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from delegate_core.console.outlet import Outlet

_PATIENCE = 20.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe: the descriptor to read from, which the test closes, and the stream to write to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream


def test_lines_of_many_threads_come_out_whole_and_in_their_threads_order() -> None:
    stream = io.StringIO()
    outlet = Outlet(stream)

    def print_lines(name: int) -> None:
        for number in range(200):
            outlet.write(f"{name} {number} {'x' * name}\n")

    threads = [threading.Thread(target=print_lines, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outlet.settle(_PATIENCE)
    lines = stream.getvalue().splitlines()
    for name in range(8):
        mine = [line for line in lines if line.startswith(f"{name} ")]
        assert mine == [f"{name} {number} {'x' * name}" for number in range(200)]


def test_a_reader_that_has_left_is_no_error(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    os.close(reading)
    outlet = Outlet(stream)
    outlet.write("to nobody\n")
    assert outlet.settle(_PATIENCE)
    outlet.write("to nobody again\n")
    assert outlet.settle(_PATIENCE)
    stream.flush()  # nothing is left in the stream's own buffer that would fail at the end of the program


def test_a_closed_stream_is_no_error() -> None:
    stream = io.StringIO()
    outlet = Outlet(stream)
    stream.close()
    outlet.write("to nobody\n")
    assert outlet.settle(_PATIENCE)


def test_nothing_is_written_to_whoever_has_got_the_number_of_a_closed_stream() -> None:
    (reading, writing), (other, taken) = os.pipe(), os.pipe()
    stream = os.fdopen(writing, "w")
    outlet = Outlet(stream)
    stream.close()
    os.dup2(taken, writing)
    outlet.write("not for this one")
    assert outlet.settle(_PATIENCE)
    for descriptor in (reading, taken, writing):
        os.close(descriptor)
    with os.fdopen(other, "rb") as file:
        assert file.read() == b""


def test_a_stopped_reader_does_not_stop_the_writer(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    outlet = Outlet(stream, limit=1000)
    outlet.write("x" * 200_000 + "\n")  # more than a pipe holds: its writer now waits
    for _ in range(100):
        outlet.write("y" * 99 + "\n")
    assert not outlet.settle(0)
    with os.fdopen(reading, "rb", buffering=0) as reader:
        _read_until_idle(reader, outlet)
    assert outlet.take_dropped() >= 90
    assert outlet.take_dropped() == 0


def _read_until_idle(reader: io.FileIO, outlet: Outlet) -> None:
    def collect() -> None:
        while not reader.read(65536).endswith(b"."):
            pass

    collector = threading.Thread(target=collect, daemon=True)
    collector.start()
    assert outlet.settle(_PATIENCE)
    outlet.write(".")  # the collector may be in its last read
    collector.join(_PATIENCE)
    assert not collector.is_alive()
    assert outlet.settle(_PATIENCE)  # or it is written where another stream has the number of this one by then


def test_what_was_in_the_streams_buffer_comes_first(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    stream.write("first\n")
    outlet = Outlet(stream)
    outlet.write("second\n")
    assert outlet.settle(_PATIENCE)
    with os.fdopen(reading, "rb", buffering=0) as reader:
        assert reader.read(100) == b"first\nsecond\n"


def test_what_an_encoding_lacks_is_spelt_out() -> None:
    raw = io.BytesIO()
    outlet = Outlet(io.TextIOWrapper(raw, encoding="ascii"))
    outlet.write("caf\u00e9\n")
    assert outlet.settle(_PATIENCE)
    assert raw.getvalue() == b"caf\\xe9\n"
