"""A claim that stays unanswered: nobody else would ever learn of a task that is ours at the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from delegate_core.model import Offer, Settled, Task
from delegate_core.testing.bench import Started
from tests.core.scripted_backend import Scripted, lived

_LONG = 400.0
"""Seconds, virtual ones: it is asked for more than once in that time."""


async def hangs() -> None:
    await anyio.sleep_forever()


def fails() -> None:
    raise OSError("the line is down")


@pytest.mark.parametrize("answer", [hangs, fails])
def test_a_task_that_turns_out_to_be_ours_long_after_its_claim_is_run(
    tmp_path: Path, answer: Callable[[], object]
) -> None:
    """Meanwhile its slot and the poller are free for others, and it is not claimed a second time."""
    backend = Scripted()
    back = False

    def claim(offer: Offer, _again: bool) -> object:  # noqa: FBT001 - the spec's
        return Task(id=offer.task_id, type=offer.type) if back or offer.task_id == "other" else answer()

    async def test(started: Started) -> None:
        nonlocal back
        inbox = backend.inbox
        assert inbox is not None
        assert await inbox.offer(Offer("lost", "echo")) is Settled.GONE
        assert await inbox.offer(Offer("lost", "echo")) is Settled.DUPLICATE
        assert inbox.room() == 1
        assert await inbox.offer(Offer("other", "echo")) is Settled.CLAIMED
        await anyio.sleep(_LONG)
        assert list(backend.reported) == ["other"]
        back = True
        if answer is fails:
            await anyio.sleep(_LONG)
            assert {task: len(results) for task, results in backend.reported.items()} == {"other": 1, "lost": 1}
            assert inbox.room() == 1

    backend.on_claim = claim
    lived(tmp_path, backend, test)


def test_a_runner_drains_without_waiting_for_a_claim_that_nobody_answers(tmp_path: Path) -> None:
    """It says whose claim is open. The next start asks again."""
    backend = Scripted()
    backend.on_claim = lambda offer, again: fails()

    async def test(started: Started) -> None:
        assert backend.inbox is not None
        assert await backend.inbox.offer(Offer("lost", "echo")) is Settled.GONE
        started.runner.drain()
        error = await started.ended()
        assert "not settled" in str(error)
        assert "lost" in str(error)

    lived(tmp_path, backend, test)
    asked: list[bool] = []

    def claim(offer: Offer, again: bool) -> Task:  # noqa: FBT001 - the spec's
        asked.append(again)
        return Task(id=offer.task_id, type=offer.type)

    again = Scripted()
    again.on_claim = claim

    async def until_reported(_started: Started) -> None:
        await again.until(lambda: again.reported)

    lived(tmp_path, again, until_reported)
    assert asked == [True]
