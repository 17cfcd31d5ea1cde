"""The pytest plugin of the core: fixtures for tests of handlers. It imports nothing heavy before their use.

``run_task`` runs a task by a handler as a runner would, and says what became of it::

    def test_fib(run_task):
        ended = run_task(fib, {"n": 10})
        assert (ended.outcome, ended.data) == ("succeeded", 55)
        assert "computing" in ended.log

``embedded_server`` starts a backend's embedded server with a runner beside it, and ``any_backend`` runs a test once for
each installed backend that brings one::

    def test_fib_on_every_server(any_backend, embedded_server):
        assert embedded_server(any_backend, fib).run("fib", {"n": 10}).data == 55

``task_context`` makes contexts::

    async def test_fib(task_context):
        context = task_context(Task(id="1", type="fib"))
        assert await fib(Fib(n=10), context) == 55
        assert "computing" in context.printed()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from delegate_core.testing.running import RunTask
    from delegate_core.testing.servers import Embed
    from delegate_core.testing.surroundings import PrintingContext

__all__ = ["embedded_server", "pytest_generate_tests", "run_task", "task_context"]

pytest.register_assert_rewrite(
    *(f"delegate_core.testing.contract_{part}" for part in ("base", "ending", "faults", "recovery", "tasks"))
)


@pytest.fixture
def task_context(tmp_path: Path) -> Callable[..., PrintingContext]:
    """Makes the context of a task: ``task_context(task, deadline=None, grace=10.0)``."""
    from delegate_core.testing.surroundings import make_context  # noqa: PLC0415 - not at pytest's start

    return make_context(tmp_path / "task")


@pytest.fixture
def run_task(tmp_path: Path) -> RunTask:
    """Runs one task: ``run_task(handler, data, timeout=30.0, ...)``; see ``delegate_core.testing.running``."""
    from delegate_core.testing.running import make_run_task  # noqa: PLC0415 - not at pytest's start

    return make_run_task(tmp_path / "tasks")


@pytest.fixture
def embedded_server() -> Iterator[Embed]:
    """Starts embedded servers: ``embedded_server("harness", fib)``; they end with the test."""
    from delegate_core.testing.servers import embedded  # noqa: PLC0415 - not at pytest's start

    with ExitStack() as stack:
        yield lambda backend, *handlers: stack.enter_context(embedded(backend, *handlers))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``any_backend`` runs for each installed backend that brings an embedded server."""
    if "any_backend" in metafunc.fixturenames:
        from delegate_core.testing.servers import backends_with_servers  # noqa: PLC0415 - not at pytest's start

        metafunc.parametrize("any_backend", backends_with_servers())
