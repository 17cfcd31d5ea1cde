"""A ``script`` task in a container, as a Harness manager may send one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from delegate_core.handlers.script import script
from delegate_core.model import Outcome, Task
from delegate_core.testing.surroundings import PrintingContext
from delegate_docker.engine import DockerEngine
from tests.docker.daemon import BOX

pytestmark = pytest.mark.anyio

Contexts = Callable[..., PrintingContext]


async def test_a_script_with_an_image_runs_in_a_container_and_sets_outputs(
    engine: DockerEngine, task_context: Contexts
) -> None:
    data = {
        "image": BOX,
        "commands": ["test -e /bin/busybox", 'echo "hello $WORD"', "echo a=1=2 >>$DELEGATE_OUTPUT", "exit 3"],
        "environment": {"WORD": "box"},
    }
    context = task_context(Task(id="1", type="script", data=data), engines={"docker": engine})
    result = await script.execute(context.task, context)
    assert (result.outcome, result.error) == (Outcome.FAILED, "exit status 3")
    assert result.data == {"exit_code": 3, "outputs": {"a": "1=2"}}
    assert context.printed().endswith("hello box\n+ echo a=1=2 >>$DELEGATE_OUTPUT\n+ exit 3")


async def test_a_script_with_an_image_that_is_not_there_says_so(engine: DockerEngine, task_context: Contexts) -> None:
    data = {"image": "docker.io/library/missing:1", "pull": "never", "commands": "true"}
    context = task_context(Task(id="1", type="script", data=data), engines={"docker": engine})
    result = await script.execute(context.task, context)
    assert result.outcome is Outcome.FAILED
    assert "missing:1 is not there" in result.error
