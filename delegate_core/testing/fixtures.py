"""The pytest plugin of the core: fixtures for tests of handlers. It imports nothing heavy before their use.

``task_context`` makes contexts::

    async def test_fib(task_context):
        context = task_context(Task(id="1", type="fib"))
        assert await fib(Fib(n=10), context) == 55
        assert "computing" in context.printed()
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from delegate_core.testing.surroundings import PrintingContext

__all__ = ["task_context"]

pytest.register_assert_rewrite(
    *(f"delegate_core.testing.contract_{part}" for part in ("base", "ending", "faults", "recovery", "tasks"))
)


@pytest.fixture
def task_context(tmp_path: Path) -> Callable[..., PrintingContext]:
    """Makes the context of a task: ``task_context(task, deadline=None, grace=10.0)``."""
    from delegate_core.testing.surroundings import make_context  # noqa: PLC0415 - not at pytest's start

    return make_context(tmp_path / "task")
