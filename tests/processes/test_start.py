"""A process that cannot be started says why, and what to do."""

import errno
from pathlib import Path
from typing import Any

import pytest

from delegate_core.processes import Process, ProcessStartError
from tests.processes.recorder import PATH, command, open_descriptors

pytestmark = pytest.mark.anyio


async def _error(argv: list[str], folder: Path, **settings: Any) -> ProcessStartError:
    process = Process(command(argv, folder, **settings))
    with pytest.raises(ProcessStartError) as caught:
        await process.run(on_output=lambda *_: None)
    assert (process.identity, process.exit) == (None, None)
    return caught.value


async def test_a_program_that_is_nowhere_on_the_path(tmp_path: Path) -> None:
    error = await _error(["no-such-program"], tmp_path)
    assert "'no-such-program' was not found" in error.culprit
    assert "PATH" in error.cure
    assert error.errno == errno.ENOENT


async def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    error = await _error(["./nothing"], tmp_path)
    assert "'./nothing' was not found" in error.culprit
    assert "working directory" in error.cure


async def test_a_file_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    error = await _error(["./script"], tmp_path)
    assert "may not be executed" in error.culprit
    assert "chmod +x" in error.cure


async def test_a_folder_instead_of_a_program(tmp_path: Path) -> None:
    assert "may not be executed" in (await _error([str(tmp_path)], tmp_path)).culprit


async def test_an_interpreter_that_does_not_exist(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter -x\n")
    script.chmod(0o755)
    error = await _error(["./script"], tmp_path)
    assert "needs the interpreter '/no/such/interpreter'" in error.culprit


async def test_a_line_end_of_windows_after_the_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"#!/bin/sh\r\necho\r\n")
    script.chmod(0o755)
    error = await _error([str(script)], tmp_path)
    assert r"'/bin/sh\r'" in error.culprit
    assert "Windows" in error.cure


async def test_a_file_in_no_known_format(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo no first line\n")
    script.chmod(0o755)
    error = await _error([str(script)], tmp_path)
    assert "no format that this machine executes" in error.culprit
    assert "#!/bin/sh" in error.cure


async def test_a_working_directory_that_does_not_exist(tmp_path: Path) -> None:
    error = await _error(["true"], tmp_path / "missing")
    assert f"working directory {tmp_path / 'missing'} does not exist" in error.culprit


async def test_arguments_that_are_too_long(tmp_path: Path) -> None:
    error = await _error(["true", "x" * 3_000_000], tmp_path)
    assert error.errno == errno.E2BIG
    assert "the longest is argument 1 with 3000000" in error.culprit
    assert "standard input" in error.cure


async def test_a_variable_that_is_too_long_is_named_and_not_shown(tmp_path: Path) -> None:
    error = await _error(["true"], tmp_path, env={"PATH": PATH, "BIG": "s3cret" * 100_000})
    assert "the longest is the variable 'BIG'" in error.culprit
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("value", ["s3cret\0", "s3cret\ud800"], ids=["zero byte", "broken character"])
async def test_a_value_that_cannot_be_passed_on_is_named_and_not_shown(value: str, tmp_path: Path) -> None:
    variable = await _error(["true"], tmp_path, env={"PATH": PATH, "TOKEN": value})
    assert "the environment variable 'TOKEN'" in variable.culprit
    argument = await _error(["true", "fine", value], tmp_path)
    assert "argument 2" in argument.culprit
    assert "s3cret" not in f"{variable} {argument}"


async def test_a_variable_with_an_impossible_name(tmp_path: Path) -> None:
    assert "'A=B'" in (await _error(["true"], tmp_path, env={"PATH": PATH, "A=B": "c"})).culprit


async def test_a_failed_start_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = open_descriptors()
    await _error(["no-such-program"], tmp_path, stdin=b"x", merge_stderr=False)
    assert open_descriptors() == before
