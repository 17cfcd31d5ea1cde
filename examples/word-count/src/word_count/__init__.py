"""The task type ``word-count``: how often each word occurs in a text. A typed function."""

from collections import Counter
from collections.abc import Iterable

from pydantic import BaseModel, Field

from delegate_core import TaskContext, TaskHandler, handler, hookimpl


class Words(BaseModel):
    """A task's data."""

    text: str
    most: int = Field(10, ge=1)


class Count(BaseModel):
    """A task's result."""

    total: int
    words: dict[str, int]


@handler("word-count")
def word_count(params: Words, context: TaskContext) -> Count:
    """Runs in a thread, since it is no async function."""
    counter: Counter[str] = Counter()
    for number, line in enumerate(params.text.splitlines(), start=1):
        if context.cancelled:
            break
        counter.update(line.lower().split())
        context.log(f"line {number}: {len(counter)} words so far")
    return Count(total=counter.total(), words=dict(counter.most_common(params.most)))


@hookimpl
def task_handlers() -> Iterable[TaskHandler]:
    """What a runner finds here."""
    return [word_count]
