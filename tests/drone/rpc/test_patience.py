"""Pauses between tries."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from delegate_core.backoff import Backoff
from delegate_drone.faults import DroneFault, LockLost, NotSent, ServerFault, TokenRefused, Unanswered, Unusable
from delegate_drone.records import Patience, persist
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


async def test_replies_that_are_no_answer_are_counted_and_lost_ones_are_not() -> None:
    call = Script(*[Unanswered("lost")] * 20, *[Unusable("a page")] * 20)
    with pytest.raises(Unusable):
        await persist(call, replace(QUICK, unusable=3), tries=9)
    assert call.tries == 23


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


async def test_whoever_counts_the_tries_is_told_each_reason_and_has_the_pauses() -> None:
    seen: list[str | float] = []

    async def pause(seconds: float) -> None:
        seen.append(seconds)

    patience = replace(
        QUICK, passing=lambda: Backoff(first=8.0, most=8.0, random=lambda: 1.0), failed=seen.append, pause=pause
    )
    await persist(Script(NotSent("refused"), ServerFault("busy", 503)), patience)
    assert seen == ["refused", 8.0, "busy", 8.0]
