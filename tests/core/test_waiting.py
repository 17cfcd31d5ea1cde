"""What decides how long to wait, and who may go on: back-off, pace, slots."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from delegate_core.backoff import Backoff
from delegate_core.pacing import Pace
from delegate_core.runner.slots import Slot, Slots

CHANCE = st.floats(0, 1, exclude_max=True)


@given(tries=st.integers(0, 2000), chance=CHANCE)
def test_a_delay_lies_in_the_upper_half_of_a_doubling_bounded_bound(tries: int, chance: float) -> None:
    backoff = Backoff(first=0.5, most=30.0, random=lambda: chance, tries=tries)
    bound = min(30.0, 0.5 * 2.0 ** min(tries, 30))
    assert bound / 2 <= backoff.next() <= bound


def test_a_success_starts_from_the_first_delay_again() -> None:
    backoff = Backoff(random=lambda: 0.0)
    assert [backoff.next() for _ in range(3)] == [0.25, 0.5, 1.0]
    backoff.reset()
    assert backoff.next() == 0.25


@given(named=st.floats(-1e9, 1e9), chance=CHANCE)
def test_a_named_delay_is_kept_within_bounds_and_is_never_a_hot_loop(named: float, chance: float) -> None:
    delay = Backoff(first=0.5, longest=600.0, random=lambda: chance).next(named)
    assert min(max(named, 0.5), 600.0) <= delay <= min(max(named, 0.5), 600.0) + 0.5


@given(
    idle=st.floats(0.01, 60),
    busy=st.floats(0.001, 5),
    polls=st.lists(st.tuples(st.floats(0, 10), st.integers(0, 3)), max_size=50),
)
def test_the_gap_between_polls_stays_between_busy_and_idle_and_falls_at_once_with_work(
    idle: float, busy: float, polls: list[tuple[float, int]]
) -> None:
    pace, now, before = Pace(idle=idle, busy=busy), 0.0, idle
    for passed, found in polls:
        now += passed
        gap = pace.polled(now, found)
        assert min(busy, idle) <= gap <= idle
        assert gap == min(busy, idle) if found else gap >= before
        before = gap


def test_the_gap_grows_back_to_idle_when_nothing_comes_any_more() -> None:
    pace = Pace(idle=3.0, busy=0.1, calm=1.0)
    assert pace.polled(0.0, 1) == 0.1
    assert pace.polled(0.9, 0) == 0.1, "calm is not over"
    gaps = [pace.polled(2.0 + step, 0) for step in range(12)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 3.0


class SlotsMachine(RuleBasedStateMachine):
    """Slots against plain counting."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(3, {"gpu": 1})
        self.taken: list[tuple[str, Slot]] = []
        self.held: set[str] = set()

    @rule(kind=st.sampled_from(["gpu", "cpu"]))
    def take(self, kind: str) -> None:
        count = sum(taken == kind for taken, _ in self.taken)
        fits = not self.held and len(self.taken) < 3 and (kind != "gpu" or count < 1)
        assert (self.slots.room(kind) > 0) == fits
        assert self.slots.take(kind) == fits
        if fits:
            self.taken.append((kind, Slot(self.slots, kind)))

    @rule(kind=st.sampled_from(["gpu", "cpu"]))
    def seize(self, kind: str) -> None:
        self.slots.seize(kind)
        self.taken.append((kind, Slot(self.slots, kind)))

    @precondition(lambda self: self.taken)
    @rule(twice=st.booleans(), handed=st.booleans())
    def release(self, twice: bool, handed: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        _, slot = self.taken.pop()
        owner = slot.handed_over() if handed else slot
        owner.release()
        if twice:
            slot.release()
            owner.release()

    @rule(name=st.sampled_from(["paused", "draining"]))
    def hold(self, name: str) -> None:
        self.slots.hold(name, "because")
        self.held.add(name)

    @rule(name=st.sampled_from(["paused", "draining"]))
    def unhold(self, name: str) -> None:
        self.slots.unhold(name)
        self.held.discard(name)

    @invariant()
    def it_counts(self) -> None:
        assert self.slots.used == len(self.taken)
        assert self.slots.room() == (0 if self.held else max(0, 3 - len(self.taken)))


TestSlotsMachine = SlotsMachine.TestCase


@pytest.mark.parametrize("wake", ["release", "unhold"])
async def test_who_waits_for_room_is_woken_when_some_comes(wake: str) -> None:
    slots = Slots(1)
    if wake == "release":
        slots.take("x")
    else:
        slots.hold("paused", "because")
    woken: list[int] = []

    async def wait(number: int) -> None:
        await slots.wait_for_room()
        woken.append(number)

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(wait, number)
            await anyio.wait_all_tasks_blocked()
            assert not woken
            slots.release("x") if wake == "release" else slots.unhold("paused")
    assert sorted(woken) == [0, 1, 2]
