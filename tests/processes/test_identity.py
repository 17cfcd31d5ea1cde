"""An identity names one process and never another."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.processes import ProcessIdentity
from tests.processes.recorder import Recorder, cancelled_at_the_end, finished, python, shell

pytestmark = pytest.mark.anyio

_IDENTITIES = st.builds(
    ProcessIdentity,
    pid=st.integers(2, 2**22),
    start_time=st.integers(0, 2**63),
    boot_id=st.text(),
    mark=st.from_regex(r"[0-9A-Za-z_-]{8,64}", fullmatch=True),
)


def test_this_very_process_is_alive() -> None:
    assert ProcessIdentity.of(os.getpid(), "mark-of-this-test").alive()


async def test_it_is_not_alive_after_the_exit(tmp_path: Path) -> None:
    recorder = await finished(shell(":", tmp_path))
    assert recorder.process.identity is not None
    assert not recorder.process.identity.alive()


async def test_one_that_waits_to_be_reaped_is_not_alive(tmp_path: Path) -> None:
    script = (
        "import os, time\n"
        "if (pid := os.fork()) == 0: os._exit(0)\n"
        "os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\n"
        "print('zombie', pid, flush=True); time.sleep(600)"
    )
    async with cancelled_at_the_end(Recorder(python(script, tmp_path))) as recorder:
        (zombie,) = await recorder.announced("zombie")
        assert not zombie.alive()


async def test_one_whose_main_thread_has_left_is_alive(tmp_path: Path) -> None:
    script = (
        "import ctypes, os, threading, time\n"
        "def work():\n"
        "    while ') Z ' not in open('/proc/self/stat').read(): time.sleep(0.01)\n"
        "    print('headless', os.getpid(), flush=True); time.sleep(600)\n"
        "threading.Thread(target=work).start()\n"
        "ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)"
    )
    async with cancelled_at_the_end(Recorder(python(script, tmp_path))) as recorder:
        (headless,) = await recorder.announced("headless")
        assert headless.alive()
    assert not headless.alive()
    assert not recorder.exit.killed


def test_another_process_with_the_same_pid_is_not_it() -> None:
    identity = ProcessIdentity.of(os.getpid(), "mark-of-this-test")
    assert not replace(identity, start_time=identity.start_time - 1).alive()


def test_a_process_of_another_boot_is_not_it() -> None:
    identity = ProcessIdentity.of(os.getpid(), "mark-of-this-test")
    assert not replace(identity, boot_id="00000000-0000-0000-0000-000000000000").alive()


async def test_a_program_s_name_cannot_confuse_it(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/sleep")
    async with cancelled_at_the_end(Recorder(shell(f"'{program}' 600 & echo odd $!; wait", tmp_path))) as recorder:
        (odd,) = await recorder.announced("odd")
        assert odd.alive()
    assert not odd.alive()


@given(_IDENTITIES)
def test_json_keeps_all_of_it(identity: ProcessIdentity) -> None:
    assert ProcessIdentity.from_json(identity.to_json()) == identity


@pytest.mark.parametrize(
    "change",
    [
        {"pid": "many"},
        {"pid": 0},
        {"pid": -1},
        {"pid": 1},
        {"mark": ""},
        {"start_time": None},
        {"boot_id": 1},
    ],
)
def test_json_that_is_no_identity_is_refused(change: dict[str, object]) -> None:
    value = ProcessIdentity.of(os.getpid(), "mark-of-this-test").to_json()
    with pytest.raises(ValueError, match=next(iter(change))):
        ProcessIdentity.from_json(value | change)
