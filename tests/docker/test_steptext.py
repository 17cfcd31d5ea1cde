"""The archive that carries a step's script into its container."""

from __future__ import annotations

import io
import tarfile

import pytest

from delegate_core.pipeline.spec import Step
from delegate_docker.steptext import script_archive


@pytest.mark.parametrize("length", [1, 700, 9000, 100_000])
def test_nothing_follows_its_end_mark_for_podman_does_not_read_it(length: int) -> None:
    archive = script_archive(Step(name="s", commands=("x" * length,)), None)
    with tarfile.open(fileobj=io.BytesIO(archive)) as read:
        last = read.getmembers()[-1]
    content = -(-last.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    assert archive[last.offset_data + content :] == bytes(2 * tarfile.BLOCKSIZE)
