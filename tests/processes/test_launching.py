"""What has a program's rules hold from its first moment changes nothing else of its start, and fails none."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from delegate_core.processes import MARK_VARIABLE, Process, ProcessSpec, ProcessStartError
from delegate_core.processes.tree import joined_marks
from tests.processes.recorder import DEADLINE, PATH, ROOT, command, finished, needs_prlimit, shell

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@needs_prlimit
async def test_a_program_bears_its_brand_before_it_does_anything(tmp_path: Path) -> None:
    """Positive control of all the others: a shell reads its own limits first."""
    shown = (await finished(shell("grep locks /proc/self/limits", tmp_path, within="w" * 32))).text.split()
    assert all(number.isdecimal() for number in shown[3:5]), shown


async def test_arguments_that_the_kernel_just_takes_are_taken(tmp_path: Path) -> None:
    """The launcher's own arguments would be too many then."""
    most = _most_bytes(tmp_path)
    assert (await finished(_wordy(tmp_path, most))).exit.code == 0
    with pytest.raises(ProcessStartError, match="too long"):
        await finished(_wordy(tmp_path, most + 1))


def _wordy(folder: Path, size: int) -> ProcessSpec:
    words, rest = divmod(size, _WORD)
    return command(["/bin/true", *["w" * _WORD] * words, "w" * rest], folder, mark="m" * 32)


_WORD = 100_000
"""Bytes of an argument; the kernel takes up to 128 KiB in each, and some MiB in all of them."""


def _most_bytes(folder: Path) -> int:
    """What the kernel takes, by trying."""
    known, too_many = 1, 16_000_000
    while too_many - known > 1:
        size = (known + too_many) // 2
        if _kernel_takes(_wordy(folder, size)):
            known = size
        else:
            too_many = size
    return known


def _kernel_takes(spec: ProcessSpec) -> bool:
    environment = {**spec.env, MARK_VARIABLE: joined_marks(spec.mark)}
    try:
        subprocess.run(spec.argv, cwd=spec.cwd, env=environment, check=True, timeout=DEADLINE)
    except OSError:
        return False
    return True


async def test_a_program_on_a_relative_path_is_the_one_beside_the_working_directory(tmp_path: Path) -> None:
    """A file that the kernel refuses is passed over for the next of its name, and not given to a shell."""
    for folder, text in ("first", "echo by a shell\n"), ("second", "#!/bin/sh\necho by the kernel\n"):
        (tmp_path / folder).mkdir()
        program = tmp_path / folder / "true"
        program.write_text(text)
        program.chmod(0o755)
    spec = command(["true"], tmp_path, env={"PATH": f"first:second:{PATH}"})
    assert (await finished(spec)).text == "by the kernel\n"


async def test_what_is_to_be_loaded_into_the_program_is_not_loaded_into_another_before_it(tmp_path: Path) -> None:
    """The loader complains of it, once a program."""
    environment = {"PATH": PATH, "LD_PRELOAD": "/no/such/library.so"}
    alone = subprocess.run(  # noqa: ASYNC221 - the same, without the runner
        ["/bin/true"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=DEADLINE
    )
    assert (await finished(command(["/bin/true"], tmp_path, env=environment))).text == alone.stdout.decode()


async def test_a_binary_whose_loader_is_missing_cannot_be_started_and_says_so(tmp_path: Path) -> None:
    """One that was built for another distribution."""
    spec = command([_foreign(tmp_path)], tmp_path)
    with pytest.raises(ProcessStartError, match="needs the interpreter that its binary format names, which does not"):
        await Process(spec).run(on_output=lambda *_: None)


def _foreign(folder: Path) -> str:
    whole = Path(shutil.which("true", path=PATH) or "").read_bytes()
    loader = re.search(rb"/lib[\w./-]*/ld[\w./-]*(?=\0)", whole)
    if loader is None:
        pytest.skip("this system's programs need no loader")
    program = folder / "foreign"
    program.write_bytes(whole.replace(loader.group(), b"/nil" + loader.group()[4:], 1))
    program.chmod(0o755)
    return str(program)


_IN_A_SANDBOX = """
import ctypes, resource, struct, sys
import anyio
from pathlib import Path
from delegate_core.processes import Limits, ProcessSpec, run

def refuse_locks(call):
    # Load the call's number; if it is prlimit64, its resource; if it is the locks, whether there is a new value.
    steps = [(0x20, 0, 0, 0), (0x15, 0, 5, call), (0x20, 0, 0, 24), (0x15, 0, 3, 10), (0x20, 0, 0, 32),
             (0x15, 1, 0, 0), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    return prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, ctypes.addressof(program), 0, 0) == 0

async def main():
    if not refuse_locks(int(sys.argv[1])):
        return print("no sandbox here")
    for limits in Limits(), Limits(file_size=1024):
        spec = ProcessSpec(argv=["/bin/sh", "-c", "ulimit -f"], cwd=Path("/"), env={"PATH": sys.argv[2]}, limits=limits)
        ended = await run(spec, on_output=lambda data, _: print(data.decode(), end=""))
        print(ended.exit_code)

anyio.run(main)
"""

_PRLIMIT64 = {"x86_64": 302, "aarch64": 261}


@needs_prlimit
async def test_a_sandbox_that_refuses_the_brand_fails_no_start_and_leaves_the_limits(tmp_path: Path) -> None:
    call = _PRLIMIT64.get(platform.machine())
    if call is None:
        pytest.skip("the number of the system call is not known here")
    shown = _in_python(_IN_A_SANDBOX, str(call), PATH)
    if shown == ["no", "sandbox", "here"]:
        pytest.skip("this system has no seccomp")
    assert shown == ["unlimited", "0", "2", "0"]


def _in_python(script: str, *arguments: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=DEADLINE,
    )  # fmt: skip
    return run.stdout.decode().split()
