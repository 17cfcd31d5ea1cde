"""The life of a session: renewed, moved, drained, stopped, paused."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from delegate_core.errors import CredentialsError, Drain, Lapsed, Moved, RegistrationError, Stop
from delegate_core.markers import hookimpl
from delegate_core.model import (
    Credentials,
    Ended,
    Outcome,
    Registration,
    Session,
    Settled,
    Task,
    TaskResult,
)
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted, echo, hold, once, raises


async def test_an_offer_whose_task_is_here_already_is_a_duplicate(backend: Scripted, bench: Bench) -> None:
    await bench.start({"hold": hold})
    assert await backend.offer("hold") is Settled.CLAIMED
    assert await backend.offer("hold") is Settled.DUPLICATE


async def test_a_fetch_that_returns_at_once_is_called_again_without_haste(backend: Scripted, bench: Bench) -> None:
    backend.on_fetch = lambda: "return"
    await bench.start({})
    await backend.until(lambda: backend.polls >= 3)
    assert backend.polls < 10


async def test_a_session_that_lapses_at_once_each_time_is_renewed_without_haste(
    backend: Scripted, bench: Bench
) -> None:
    def lapse() -> None:
        raise Lapsed("who are you?")

    backend.on_fetch = lapse
    await bench.start({})
    await backend.until(lambda: backend.registrations >= 3)
    assert backend.registrations < 10


async def test_a_move_is_followed_and_work_goes_on_there(backend: Scripted, bench: Bench) -> None:
    addresses: list[str | None] = []
    backend.on_register = lambda registration: addresses.append(registration.address)
    backend.on_fetch = raises(Moved("https://other.example"))
    await bench.start({"echo": echo})
    await backend.until(lambda: backend.polls == 2)
    await backend.offer("echo")
    assert (await backend.result()).outcome is Outcome.SUCCEEDED
    assert addresses == [None, "https://other.example"]


class Slow(Scripted):
    """Its second registration takes as long as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = anyio.Event()

    @hookimpl
    async def register(self, registration: Registration, credentials: Credentials) -> Session:
        session = await super().register(registration, credentials)
        if self.registrations == 2:
            await self.go_on.wait()
        return session


async def test_what_is_reloaded_while_the_runner_registers_is_announced_too(tmp_path: Path) -> None:
    backend, announced = Slow(), list[int]()
    backend.on_register = lambda registration: announced.append(registration.capacity)
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        started = await bench.start({"echo": echo}, capacity=1)
        await backend.until(lambda: backend.polls == 1)
        for capacity in (2, 3):
            await started.runner.reload(started.runner.settings.model_copy(update={"capacity": capacity}))
            await backend.until(lambda: backend.registrations == 2)
        backend.go_on.set()
        await backend.until(lambda: backend.polls == 2)
    assert announced == [1, 2, 3]


async def test_a_server_that_sends_us_in_circles_is_an_error_of_registering(backend: Scripted, bench: Bench) -> None:
    def move(registration: Registration) -> None:
        raise Moved("https://elsewhere.example")

    backend.on_register = move
    started = await bench.start({}, register_timeout=1.2, until="stopped")
    error = await started.ended()
    assert isinstance(error, RegistrationError)
    assert "moved to https://elsewhere.example" in str(error)
    assert backend.registrations < 20


async def test_an_error_for_a_person_at_a_later_registration_stops_the_runner(backend: Scripted, bench: Bench) -> None:
    refused = CredentialsError("the token was revoked: make a new one")

    def register(registration: Registration) -> None:
        if backend.registrations > 1:
            raise refused

    backend.on_register = register
    backend.on_fetch = raises(Lapsed("who are you?"))
    started = await bench.start({"echo": echo})
    assert await started.ended() is refused


@pytest.mark.parametrize(("interrupt", "code"), [(Stop("go away"), 7), (Drain("be gone by noon"), 7)])
async def test_a_server_that_tells_us_to_end_is_obeyed_and_named(
    backend: Scripted, bench: Bench, interrupt: Exception, code: int
) -> None:
    backend.on_fetch = raises(interrupt)
    started = await bench.start({})
    error = await started.ended()
    assert error is not None
    assert (error.exit_code, str(error)) == (code, str(interrupt))
    assert backend.left == 1


async def test_a_drain_that_is_asked_for_while_nobody_answers_the_registration_ends_cleanly(
    backend: Scripted, bench: Bench
) -> None:
    def nobody(registration: Registration) -> None:
        raise OSError("connection refused")

    backend.on_register = nobody
    started = await bench.start({}, until="registering")
    started.runner.drain()
    assert await started.ended() is None


async def test_a_drain_does_not_wait_for_a_recovery_that_nobody_answers(backend: Scripted, bench: Bench) -> None:
    first = await bench.start({"hold": hold})
    await backend.offer("hold")
    await first.seen.wait(lambda seen: seen.started)
    await first.crash()

    asked = anyio.Event()

    def nobody() -> None:
        asked.set()
        raise OSError("connection refused")

    backend.on_resume = nobody
    again = await bench.start({"hold": hold}, until="registering", drain_timeout=0.5)
    await asked.wait()
    again.runner.drain()
    error = await again.ended()
    assert error is not None
    assert error.exit_code == 8
    assert backend.left == 0, "the server would end by it what we still owe"


async def test_a_pause_before_the_start_holds(backend: Scripted, bench: Bench) -> None:
    backend.on_register = once(OSError("not yet"), lambda registration: None)
    started = await bench.start({"echo": echo}, until="registering")
    started.runner.pause("maintenance")
    await started.seen.wait(lambda seen: ("paused", "maintenance") in seen.states)
    assert await backend.offer("echo") is Settled.NO_ROOM
    started.runner.resume()
    assert await backend.offer("echo") is Settled.CLAIMED


async def test_a_pause_does_not_end_a_drain(backend: Scripted, bench: Bench) -> None:
    started = await bench.start({"hold": hold})
    await backend.offer("hold")
    started.runner.drain()
    await started.seen.wait(lambda seen: seen.states[-1][0] == "draining")
    started.runner.pause()
    assert started.runner.state == "draining"
    started.runner.resume()
    assert started.runner.state == "draining"


async def test_a_drain_shorter_than_the_grace_still_lets_tasks_finish(backend: Scripted, bench: Bench) -> None:
    go_on = anyio.Event()

    async def work() -> str:
        await go_on.wait()
        return "done"

    started = await bench.start({"work": work}, grace=10.0, drain_timeout=5.0)
    await backend.offer("work")
    await started.seen.wait(lambda seen: seen.started)
    started.runner.drain()
    await started.seen.wait(lambda seen: seen.states[-1][0] == "draining")
    go_on.set()
    assert await started.ended() is None
    assert (await backend.result()).data == "done"


async def test_slots_and_ids_are_all_given_back(backend: Scripted, bench: Bench) -> None:
    """Whatever became of the offers: claimed, gone, failed, ended, cancelled."""
    answers = {
        "gone": lambda offer: None,
        "ended": lambda offer: Ended(Task(id=offer.task_id, type="echo"), TaskResult.rejected("no")),
    }
    backend.on_claim = lambda offer, again: answers.get(
        offer.task_id.split("-")[0], lambda offer: Task(id=offer.task_id, type=offer.type)
    )(offer)
    started = await bench.start({"echo": echo, "hold": hold}, capacity=3, limits={"hold": 1})
    kinds = ["gone", "ended", "fine"]
    for number in range(30):
        await backend.offer("echo", f"{kinds[number % 3]}-{number}")
    await backend.offer("hold", "held")
    backend.cancel("held")
    await backend.result("held")
    started.runner.drain()
    assert await started.ended() is None
    assert started.runner.slots.used == 0
    assert all(len(results) == 1 for results in backend.reported.values())
    assert len(backend.reported) == 21


async def test_a_runner_that_was_run_cannot_be_run_again(bench: Bench) -> None:
    started = await bench.start({})
    started.runner.drain()
    await started.ended()
    with pytest.raises(RuntimeError, match="make another"):
        await started.runner.run()
