"""What `make soak` takes for growth: a leak, and neither noise nor a history that is cut back by the hundred."""

from __future__ import annotations

import random

import pytest

from tests.reliability.growth import TOLERANCES, Samples

TASKS, WARM_UP = 3000, 1200


def samples(files_of: dict[str, float], *, every: int = 7) -> Samples:
    """Of a runner that keeps the log of a thousand tasks, and removes what is older after each 128.

    Args:
        files_of: ``noise``: how many files come and go at any moment; ``leaked``: how many each task leaves for ever.
        every: tasks between two looks.
    """
    choose, taken = random.Random(8), Samples()
    for ended in range(0, TASKS, every):
        kept = ended if ended < 1024 else 1000 + (ended - 1000) % 128
        noise = choose.uniform(0, files_of.get("noise", 0.0))
        figures = dict.fromkeys(TOLERANCES, 40.0)
        taken.add(ended, {**figures, "files": kept + noise + ended * files_of.get("leaked", 0.0)})
    return taken


@pytest.mark.parametrize("every", [3, 7, 30])
def test_a_history_that_is_cut_back_by_the_hundred_does_not_grow(every: int) -> None:
    growths = list(samples({"noise": 60.0}, every=every).growths(WARM_UP))
    assert [growth.name for growth in growths] == list(TOLERANCES)
    assert all(growth.is_tolerated for growth in growths), growths


@pytest.mark.parametrize("leaked", [0.02, 0.1, 1.0])
def test_what_is_left_for_ever_by_some_tasks_is_growth_in_spite_of_noise(leaked: float) -> None:
    growths = {growth.name: growth for growth in samples({"noise": 60.0, "leaked": leaked}).growths(WARM_UP)}
    assert not growths["files"].is_tolerated
    assert growths["files"].slope == pytest.approx(1000 * leaked, abs=5.0)
    assert all(growth.is_tolerated for name, growth in growths.items() if name != "files")


def test_too_short_a_run_says_nothing() -> None:
    assert not list(samples({"leaked": 1.0}).growths(TASKS - 1200))
