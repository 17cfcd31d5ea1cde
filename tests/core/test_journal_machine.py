"""The journal against a model of it: any order of what a runner does, with restarts between."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from delegate_core.journal import Journal
from delegate_core.model import Delivery, Offer, Phase, SessionIdentity, Task, TaskResult
from delegate_core.statefolder import StateFolder

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SESSIONS = [SessionIdentity(server="s", account=account, runner_id="r") for account in ("one", "two")]


class JournalMachine(RuleBasedStateMachine):
    """Writes to the journal what it notes for itself, and compares."""

    numbers: Bundle[int] = Bundle("numbers")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.path = Path(tempfile.mkdtemp())
        self.expected: dict[int, dict[str, Any]] = {}

    @initialize(durable=st.booleans())
    def open(self, durable: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        self.durable = durable
        self._enter()

    def _enter(self) -> None:
        self.folder = StateFolder(self.path).__enter__()
        self.journal = Journal(self.folder, durable=self.durable).__enter__()

    def _leave(self) -> None:
        self.journal.__exit__()
        self.folder.__exit__()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def _now(self, work: Any) -> None:
        async def call() -> None:
            work()

        self._run(call())

    def teardown(self) -> None:
        self._leave()
        self.loop.close()
        shutil.rmtree(self.path)

    @rule(target=numbers, task_id=st.text(max_size=5), detail=JSON, session=st.sampled_from(SESSIONS))
    def intend(self, task_id: str, detail: Any, session: SessionIdentity) -> int:
        number: int = self._run(self.journal.intend(Offer(task_id, "type", detail), session))
        earlier = self.expected.get(number)
        assert earlier is None or earlier["phase"] is None, "only the number of a forgotten entry may come again"
        self.expected[number] = {"task_id": task_id, "phase": Phase.INTENT, "offer": detail, "session": session}
        return number

    @rule(number=numbers, state=JSON)
    def claimed(self, number: int, state: Any) -> None:
        if self._is(number, Phase.INTENT):
            self._now(lambda: self.journal.claimed(number, Task(id="any", type="type", state=state)))
            self.expected[number] |= {"phase": Phase.CLAIMED, "state": state}

    @rule(number=numbers)
    def forget(self, number: int) -> None:
        if self._is(number, Phase.INTENT):
            self._now(lambda: self.journal.forget(number))
            self.expected[number]["phase"] = None

    @rule(number=numbers)
    def started(self, number: int) -> None:
        if self._is(number, Phase.CLAIMED):
            self._run(self.journal.started(number))
            self.expected[number]["phase"] = Phase.STARTED

    @rule(number=numbers, state=JSON)
    def state(self, number: int, state: Any) -> None:
        if self._is(number, Phase.STARTED):
            self._run(self.journal.state(number, state))
            self.expected[number]["state"] = state

    @rule(number=numbers, data=JSON)
    def finished(self, number: int, data: Any) -> None:
        if self._is(number, Phase.CLAIMED, Phase.STARTED):
            self._run(self.journal.finished(number, TaskResult.succeeded(data)))
            self.expected[number] |= {"phase": Phase.FINISHED, "result": TaskResult.succeeded(data)}

    @rule(number=numbers, kind=st.sampled_from(["delivered", "gone", "never"]))
    def settled(self, number: int, kind: Any) -> None:
        if self._is(number, Phase.FINISHED):
            self._now(lambda: self.journal.settled(number, Delivery(kind=kind)))
            self.expected[number]["phase"] = Phase.UNDELIVERABLE if kind == "never" else Phase.DELIVERED

    @rule()
    def restart(self) -> None:
        self._leave()
        self._enter()

    @invariant()
    def it_knows_what_was_written(self) -> None:
        self._run(self.journal.progressing(0))  # what is not awaited is durable with the next write that is
        found = {entry.number: entry for entry in self.journal.recent(10_000)}
        kept = {number: entry for number, entry in self.expected.items() if entry["phase"] is not None}
        assert found.keys() == kept.keys()
        for number, expected in kept.items():
            assert {name: getattr(found[number], name) for name in expected} == expected
        owed = {number for number, entry in kept.items() if entry["phase"] is Phase.FINISHED}
        assert self.journal.owed() == len(owed)
        settled = {Phase.DELIVERED, Phase.UNDELIVERABLE}
        unfinished = [number for number, entry in kept.items() if entry["phase"] not in settled]
        assert [entry.number for entry in self.journal.unfinished()] == sorted(unfinished)

    def _is(self, number: int, *phases: Phase) -> bool:
        return self.expected[number]["phase"] in phases


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
