"""Which handler gets a task: exact types, patterns, the one for all others; and what middleware may do around it."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.errors import PluginError
from delegate_core.handlers import HandlerRegistry, Middleware, Proceed, TaskContext
from delegate_core.handlers.patterns import matches, overlap
from delegate_core.markers import hookimpl
from delegate_core.model import Outcome, Task, TaskResult
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted

PATTERNS = st.text("ab/*?", max_size=6)
TYPES = st.text("ab/c", max_size=6)


def told(name: str) -> Callable[[], str]:
    def handle() -> str:
        return name

    return handle


async def answer(backend: Scripted, task_type: str) -> TaskResult:
    await backend.offer(task_type, f"id-{task_type}")
    return await backend.result(f"id-{task_type}")


# ---------------------------------------------------------------------- patterns


@settings(deadline=None)
@given(PATTERNS, TYPES)
def test_a_pattern_matches_what_a_shell_would(pattern: str, task_type: str) -> None:
    assert matches(pattern, task_type) == fnmatch.fnmatchcase(task_type, pattern)


@settings(deadline=None)
@given(PATTERNS, PATTERNS, TYPES)
def test_two_patterns_that_match_one_type_are_known_to_overlap(one: str, other: str, task_type: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    if matches(one, task_type) and matches(other, task_type):
        assert overlap(one, other)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("a*", "*b", "yes"),
        ("a*", "b*", "no"),
        ("a?", "?b", "yes"),
        ("*a", "*b", "no"),
        ("*", "", "yes"),
        ("?", "", "no"),
    ],
)
def test_patterns_overlap_only_where_some_type_matches_both(one: str, other: str, both: str) -> None:
    assert overlap(one, other) is (both == "yes")


def test_a_pattern_with_many_stars_is_matched_at_once() -> None:
    assert not matches("*" * 60 + "x", "a" * 200)
    assert not matches("*a" * 40 + "b", "a" * 2000)


# ---------------------------------------------------------------------- routing


async def test_the_exact_type_goes_before_patterns_and_a_specific_pattern_before_a_general_one(
    backend: Scripted, bench: Bench
) -> None:
    handlers = {name: told(name) for name in ("*", "image/*", "image/png/*", "image/resize")}
    await bench.start(handlers)
    answers = [await answer(backend, kind) for kind in ("image/resize", "image/png/x", "image/gif", "else", "script")]
    assert [one.data for one in answers[:4]] == ["image/resize", "image/png/*", "image/*", "*"]
    assert answers[4].outcome is Outcome.REJECTED, "the built-in script handler is exact, and wants data"


async def test_only_exact_types_are_announced(backend: Scripted, bench: Bench) -> None:
    announced = []
    backend.on_register = lambda registration: announced.append(registration.task_types)
    await bench.start({"image/*": told("image"), "fib": told("fib")})
    await backend.until(lambda: announced)
    assert announced == [("fib", "script")]


def test_two_patterns_as_specific_that_match_the_same_type_are_a_conflict_that_names_both() -> None:
    registry = HandlerRegistry()
    registry.add_functions({"image/*": told("a")}, "the program")
    with pytest.raises(PluginError, match=r"as specific: 'image/\*' from the program, '\*image/' from plugin x"):
        registry.add_functions({"*image/": told("b")}, "plugin x")
    registry.add_functions({"*/resize": told("c")}, "plugin x")
    assert registry.find("image/resize") == "*/resize"


async def test_a_limit_of_a_pattern_counts_all_types_that_it_serves(backend: Scripted, bench: Bench) -> None:
    release, most, now = anyio.Event(), 0, 0

    async def hold() -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await release.wait()
        now -= 1

    await bench.start({"image/*": hold}, limits={"image/*": 1})
    assert (await backend.offer("image/a", "a")).name == "CLAIMED"
    assert (await backend.offer("image/b", "b")).name != "CLAIMED"
    release.set()
    assert (await backend.result("a")).outcome is Outcome.SUCCEEDED
    assert most == 1


# ---------------------------------------------------------------------- middleware


def noting(name: str, seen: list[str]) -> Middleware:
    async def note(task: Task, context: TaskContext, proceed: Proceed) -> TaskResult:
        seen.append(f"{name} in")
        result = await proceed(task)
        seen.append(f"{name} out")
        return result

    return note


class Bringing:
    def __init__(self, *middleware: Middleware) -> None:
        self.middleware = middleware

    @hookimpl
    def task_middleware(self) -> list[Middleware]:
        return list(self.middleware)


async def test_the_first_middleware_is_outermost_and_the_programs_stands_around_a_plugins(
    backend: Scripted, bench: Bench
) -> None:
    seen: list[str] = []
    plugin = Bringing(noting("plugin", seen))
    await bench.start({"t": told("x")}, plugins=(plugin,), middleware=[noting("a", seen), noting("b", seen)])
    assert (await answer(backend, "t")).data == "x"
    assert seen == ["a in", "b in", "plugin in", "plugin out", "b out", "a out"]


async def test_a_middleware_can_retry_refuse_change_the_task_and_the_result(backend: Scripted, bench: Bench) -> None:
    runs = 0

    async def flaky(data: int) -> int:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError("not yet")
        return data

    async def around(task: Task, context: TaskContext, proceed: Proceed) -> TaskResult:
        if task.type == "forbidden":
            return TaskResult.rejected("not here")
        for _ in range(5):
            result = await proceed(task.model_copy(update={"data": 7, "type": "flaky"}))
            if result.outcome is Outcome.SUCCEEDED:
                return result.model_copy(update={"data": {"wrapped": result.data}})
        return result

    await bench.start({"flaky": flaky}, middleware=[around])
    assert (await answer(backend, "alias")).data == {"wrapped": 7}
    assert runs == 3
    assert (await answer(backend, "forbidden")).error == "rejected: not here"


async def test_a_middleware_that_raises_or_answers_nothing_fails_its_task_by_name(
    backend: Scripted, bench: Bench
) -> None:
    async def broken(task: Task, context: TaskContext, proceed: Proceed) -> TaskResult:
        if task.type == "raise":
            raise ValueError("no")
        return None  # type: ignore[return-value]  # that is the point

    await bench.start({"*": told("x")}, middleware=[broken])
    raised, silent = await answer(backend, "raise"), await answer(backend, "other")
    assert (raised.outcome, silent.outcome) == (Outcome.FAILED, Outcome.FAILED)
    assert "broken failed: ValueError: no" in raised.error
    assert "broken answered NoneType; it must answer a TaskResult" in silent.error


async def test_middleware_of_the_wrong_shape_ends_the_start_by_name(backend: Scripted, bench: Bench) -> None:
    def plain(task: Task, context: TaskContext, proceed: Proceed) -> None: ...

    async def narrow(task: Task) -> None: ...

    with pytest.raises(PluginError, match=r"the program: middleware .*plain is no async function"):
        await bench.start({}, middleware=[plain])  # type: ignore[list-item]  # that is the point
    with pytest.raises(PluginError, match=r"narrow must take \(task, context, proceed\)"):
        await bench.start({}, middleware=[narrow])  # type: ignore[list-item]  # that is the point
