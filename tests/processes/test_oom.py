"""What the system ends first when memory runs out."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from delegate_core.processes import Process, ProcessIdentity, ProcessSpec

pytestmark = pytest.mark.anyio


def score(process: int | str) -> int:
    return int(Path(f"/proc/{process}/oom_score_adj").read_text())


async def test_a_process_is_ended_before_the_runner_when_memory_runs_out(tmp_path: Path) -> None:
    scores: list[int] = []

    async def look(identity: ProcessIdentity) -> None:
        scores.append(score(identity.pid))

    with anyio.fail_after(40):
        process = Process(ProcessSpec(argv=["/bin/sleep", "0.2"], cwd=tmp_path, env={}))
        await process.run(on_output=lambda _data, _stream: None, on_start=look)
    assert scores == [500]
    assert score("self") < 500
