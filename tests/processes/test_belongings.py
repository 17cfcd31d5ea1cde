"""What a user runs is ended, and nothing of anybody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from delegate_core.processes import ProcessIdentity, ProcessUser, end_all_of, processes_of
from tests.other_user import needs_root, pool
from tests.processes.recorder import Recorder, cancelled_at_the_end, shell

pytestmark = pytest.mark.anyio

DAEMON = "(setsid env -i prlimit --locks=9 sleep 60 >/dev/null 2>&1 &)"
DAEMONS = f"for n in 1 2 3; do {DAEMON}; done; echo main $$; exec sleep 60"


@needs_root
async def test_all_that_a_user_runs_is_ended_and_what_another_user_runs_is_not() -> None:
    mine, others = (ProcessUser.named(name) for name in pool(2))
    async with (
        cancelled_at_the_end(Recorder(shell(DAEMONS, Path("/"), user=others, grace=0.1))) as beside,
        cancelled_at_the_end(Recorder(shell(DAEMONS, Path("/"), user=mine))) as recorder,
    ):
        await recorder.announced("main")
        (other,) = await beside.announced("main")
        ending = await end_all_of(mine, grace=5.0)
        assert (ending.ended >= 4, ending.killed, ending.survivors) == (True, False, 0)
        assert processes_of(mine) == frozenset()
        assert other.alive()
        assert len(processes_of(others)) == 4
    await end_all_of(others, grace=0.0)


@needs_root
async def test_a_daemon_that_does_not_heed_sigterm_and_forks_on_is_ended_too() -> None:
    user = ProcessUser.named(pool(1)[0])
    deaf = f"trap : TERM; echo main $$; while :; do {DAEMON}; sleep 0.01; done"
    async with cancelled_at_the_end(Recorder(shell(deaf, Path("/"), user=user))) as recorder:
        (main,) = await recorder.announced("main")
        ending = await end_all_of(user, grace=0.2)
    assert (ending.killed, ending.survivors, main.alive()) == (True, 0, False)
    assert processes_of(user) == frozenset()


@pytest.mark.parametrize("uid", [0, os.geteuid()])
async def test_root_and_the_runners_own_user_are_refused(uid: int) -> None:
    me = ProcessIdentity.of(os.getpid(), "some-mark")
    with pytest.raises(ValueError, match="more processes than those of tasks"):
        await end_all_of(ProcessUser("wrong", uid, uid, (uid,)), grace=0.0)
    assert me.alive()
