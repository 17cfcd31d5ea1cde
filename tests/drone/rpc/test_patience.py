"""Pauses between tries and between polls."""

from __future__ import annotations

import anyio
import pytest

from delegate_core.backoff import Backoff
from delegate_drone.faults import DroneFault, LockLost, NotSent, ServerFault, TokenRefused, Unanswered
from delegate_drone.records import Patience, PollPace, persist
from tests.drone.rpc.conftest import QUICK

pytestmark = pytest.mark.anyio


class Script:
    """A call with these outcomes, one a try; a list that is used up succeeds."""

    def __init__(self, *faults: DroneFault) -> None:
        self.faults = list(faults)
        self.tries = 0

    async def __call__(self) -> int:
        self.tries += 1
        if self.faults:
            raise self.faults.pop(0)
        return self.tries


async def test_passing_faults_are_tried_again_until_there_is_an_answer() -> None:
    call = Script(NotSent("a"), Unanswered("b"), ServerFault("c", 503), TokenRefused("d"))
    assert await persist(call, QUICK) == 5


async def test_the_servers_own_answer_is_not_tried_again() -> None:
    call = Script(LockLost("moved"))
    with pytest.raises(LockLost):
        await persist(call, QUICK)
    assert call.tries == 1


async def test_the_servers_own_errors_are_counted_and_a_proxys_are_not() -> None:
    call = Script(*[ServerFault("proxy", 503)] * 9, *[ServerFault("own", 500)] * 9)
    with pytest.raises(ServerFault, match="own"):
        await persist(call, QUICK, tries=2)
    assert call.tries == 11


async def test_each_fault_that_is_tried_again_is_noted() -> None:
    noted: list[DroneFault] = []
    await persist(Script(NotSent("a"), Unanswered("b")), QUICK, noted=noted.append)
    assert [fault.uncertain for fault in noted] == [False, True]


async def test_a_deadline_ends_the_tries() -> None:
    endless = Script(*[TokenRefused("no")] * 99)
    with anyio.move_on_after(0.05) as scope:
        await persist(endless, Patience())
    assert scope.cancelled_caught
    assert endless.tries == 1  # such a pause is long


def pace() -> PollPace:
    return PollPace(
        passing=Backoff(first=0.5, most=30, random=lambda: 1.0), lasting=Backoff(first=10, most=120, random=lambda: 1.0)
    )


def test_a_poll_that_waited_is_followed_by_the_next_at_once() -> None:
    assert pace().fruitless(30.0) == 0.0


def test_polls_that_are_answered_at_once_with_nothing_slow_down() -> None:
    poll = pace()
    assert [poll.fruitless(0.0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_poll_that_brought_a_stage_is_followed_at_once_and_forgets_the_slow_ones() -> None:
    poll = pace()
    poll.fruitless(0.0)
    poll.fruitless(0.0)
    assert poll.fruitful() == 0.0
    assert poll.fruitless(0.0) == 0.5


def test_a_failed_poll_is_never_followed_at_once() -> None:
    poll = pace()
    assert [poll.failed(ServerFault("redis: nil", 500), 30.0) for _ in range(3)] == [0.5, 0.5, 0.5]
    assert [poll.failed(NotSent("down"), 0.0) for _ in range(2)] == [1.0, 2.0]


def test_a_refused_token_slows_polls_down_more() -> None:
    poll = pace()
    assert [poll.failed(TokenRefused("no"), 0.0) for _ in range(5)] == [10, 20, 40, 80, 120]


def test_a_pause_that_the_server_named_is_kept() -> None:
    assert pace().failed(ServerFault("later", 429, 45.0), 0.0) >= 45.0
