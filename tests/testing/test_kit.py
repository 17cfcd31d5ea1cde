"""What handler authors get for their tests."""

from __future__ import annotations

import time

import anyio
import pytest
from pydantic import BaseModel

from delegate_core import TaskContext, handler
from delegate_core.testing.running import RunTask
from delegate_core.testing.servers import Embed


class Fib(BaseModel):
    n: int


@handler("fib")
def fib(params: Fib, context: TaskContext) -> int:
    context.log(f"computing fib({params.n})")
    a, b = 0, 1
    for _ in range(params.n):
        a, b = b, a + b
    return a


@handler("slow")
async def slow(seconds: float, context: TaskContext) -> str:
    context.log("waiting")
    await anyio.sleep(seconds)
    context.log("done")
    return "waited"


@handler("polite")
def polite(context: TaskContext) -> str:
    context.log("begun")
    while not context.cancelled:
        time.sleep(0.001)
    return "cleaned up"


def test_a_handlers_test_is_five_lines(run_task: RunTask) -> None:
    ended = run_task(fib, {"n": 10})
    assert (ended.outcome, ended.data) == ("succeeded", 55)
    assert ended.log == "computing fib(10)"


def test_wrong_data_and_failures_are_outcomes_like_any_other(run_task: RunTask) -> None:
    def fail() -> None:
        raise ValueError("oops")

    assert run_task(fib, {"n": "x"}).outcome == "rejected"
    assert run_task(fail).error == "ValueError: oops"


def test_secrets_are_put_in_and_masked(run_task: RunTask) -> None:
    def show(data: str, context: TaskContext) -> str:
        context.log(data)
        return f"{data == 'x hunter2'}: {data}"

    ended = run_task(show, "x ${{secrets.key}}", secrets={"key": "hunter2"})
    assert (ended.data, ended.log) == ("True: x ******", "x ******")
    assert "no secret 'other'" in run_task(show, "${{secrets.other}}").error


def test_an_hour_passes_at_once_in_virtual_time(run_task: RunTask) -> None:
    ended = run_task(slow, 3600.0, timeout=7200, virtual_time=True)
    assert (ended.outcome, round(ended.seconds)) == ("succeeded", 3600)
    assert run_task(slow, 3600.0, timeout=60, virtual_time=True).error == "timed out after 60s"


@pytest.mark.parametrize(("serving", "data", "words"), [(slow, 600.0, "waiting"), (polite, None, "begun")])
def test_a_task_is_cancelled_when_it_has_printed_some_words(
    run_task: RunTask, serving: object, data: object, words: str
) -> None:
    ended = run_task(serving, data, cancel_when=words)
    assert (ended.outcome, ended.error) in {("cancelled", "aborted"), ("succeeded", "")}
    assert words in ended.log
    assert "done" not in ended.log


async def test_it_works_within_an_async_test_too(run_task: RunTask) -> None:
    assert run_task(fib, {"n": 3}).data == 2


def test_a_handler_runs_on_every_embedded_server(any_backend: str, embedded_server: Embed) -> None:
    ended = embedded_server(any_backend, fib).run("fib", {"n": 10})
    assert (ended.outcome, ended.error) in {("succeeded", ""), ("success", "")}
    assert "computing fib(10)" in ended.log


def test_both_servers_of_this_repository_are_among_them(request: pytest.FixtureRequest) -> None:
    from delegate_core.testing.servers import backends_with_servers  # noqa: PLC0415

    assert {"drone", "harness"} <= set(backends_with_servers())
