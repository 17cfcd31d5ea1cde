"""Sparklines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from delegate_core.console.rates import rates_line, spark
from delegate_core.console.view import Rates

_COUNTS = st.lists(st.none() | st.floats(0, 1e12), max_size=60)


def test_the_lowest_block_is_nothing_and_the_highest_the_most() -> None:
    assert spark([0, 1, 50, 100], number=59, length=60).strip() == "▁▂▅█"


def test_what_is_not_known_is_blank() -> None:
    assert spark([3, None, 3], number=59, length=60) == " " * 57 + "█ █"
    assert spark([], number=59, length=5) == " " * 5


def test_little_is_told_from_nothing() -> None:
    assert spark([0, 0.001, 1000], number=2, length=60)[-3:] == "▁▂█"


def test_a_cell_is_the_mean_of_its_intervals_and_keeps_them_while_time_goes_on() -> None:
    values = [0.0] * 24 + [80.0] * 12 + [40.0] * 24
    now = spark(values, number=59, length=5)
    assert now == "▁▁█▅▅"
    for later in range(1, 12):
        passed = spark([*values[later:], *[40.0] * later], number=59 + later, length=5)
        assert "█" in passed
        assert passed.count("█") == 1, "the peak was torn apart"


@given(_COUNTS, st.integers(0, 10_000), st.sampled_from([5, 6, 10, 12, 15, 20, 30, 60]))
def test_a_sparkline_is_as_long_as_it_is_to_be(values: list[float | None], number: int, length: int) -> None:
    assert len(spark(values, number, length)) == length


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_line_of_rates_fits(width: int) -> None:
    rates = Rates(5.0, 100, (999,) * 60, (99,) * 60, (0.999,) * 60, (5_000_000,) * 60)
    line = rates_line(rates, width)
    assert cell_len(line.plain) <= width
    assert "12k/min" in line.plain
    assert "999ms" in line.plain
    assert "1.0MB/s" in line.plain


def test_the_figures_are_those_of_the_last_minute() -> None:
    line = rates_line(Rates(5.0, 100, (9,) * 20 + (1,) * 12, (0,) * 32, (None,) * 32, (0,) * 32), 80).plain
    assert "12/min" in line
    assert "0/min" in line
    assert "pick-up" in line
    assert "0B/s" in line
