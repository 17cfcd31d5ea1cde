"""Handlers from Python functions: how they are read, called, and what becomes of their answers."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import anyio
import anyio.to_thread
import pytest
from pydantic import BaseModel, Field, SecretStr
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from delegate_core.errors import PluginError
from delegate_core.handlers import Handler, TaskContext, handler
from delegate_core.model import JsonValue, Outcome, Task, TaskResult
from delegate_core.testing.bench import PATIENCE, Bench
from delegate_core.testing.surroundings import PrintingContext
from tests.core.scripted_backend import Scripted

Make = Callable[..., PrintingContext]


PASSWORD = "correct-horse-battery"


class Fib(BaseModel):
    n: Annotated[int, Field(ge=0)]


@dataclass
class Point:
    x: int
    y: int = 0


class Options(TypedDict, total=False):
    quiet: bool


class Pair(NamedTuple):
    left: int
    right: str


class Colour(Enum):
    RED = "red"


def task(data: JsonValue = None) -> Task:
    return Task(id="task-1", type="test", data=data)


async def run(function: Callable[..., Any], context: TaskContext, data: JsonValue = None) -> TaskResult:
    return await Handler("test", function).execute(task(data), context)


# ---------------------------------------------------------------------- reading functions


def with_two(a: int, b: int) -> None: ...


def with_two_contexts(a: TaskContext, b: TaskContext) -> None: ...


def with_star(*data: int) -> None: ...


def with_kwargs(**data: int) -> None: ...


def positional(data: int, /) -> None: ...


@pytest.mark.parametrize("function", [with_two, with_two_contexts, with_star, with_kwargs, positional])
def test_a_function_that_cannot_be_called_with_a_task_is_refused_by_name(function: Callable[..., Any]) -> None:
    with pytest.raises(PluginError, match=rf"test_handlers\.{function.__name__} takes .* one parameter for the task's"):
        Handler("test", function).check()


def test_an_annotation_that_cannot_be_resolved_is_named_with_the_cure() -> None:
    def missing(data: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - that is the point

    with pytest.raises(PluginError, match="name 'Missing' is not defined; import what they name at the top"):
        Handler("test", missing).check()


def test_an_annotation_that_pydantic_cannot_parse_is_named() -> None:
    def strange(data: threading.Lock) -> None: ...

    with pytest.raises(PluginError, match="pydantic cannot parse"):
        Handler("test", strange).check()


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(PluginError, match="is no function whose parameters can be read"):
        Handler("test", 42).check()  # type: ignore[arg-type]  # that is the point


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(PluginError, match="limit is 0; it must be 1 or more"):
        handler("test", limit=0)


def test_a_decorated_function_is_still_the_function() -> None:
    @handler("double")
    def double(n: int) -> int:
        """Twice as much."""
        return 2 * n

    assert double(4) == 8
    assert double.__doc__ == "Twice as much."
    assert "double" in repr(double)


# ---------------------------------------------------------------------- data in


@pytest.mark.parametrize(
    ("annotation", "data", "seen"),
    [
        (Fib, {"n": 3}, Fib(n=3)),
        (Point, {"x": 1}, Point(1)),
        (Options, {"quiet": True}, {"quiet": True}),
        (Pair, [1, "a"], Pair(1, "a")),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (list[Fib], [{"n": 1}], [Fib(n=1)]),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 2, 1], {1, 2}),
        (int | str, "x", "x"),
        (Fib | None, None, None),
        (Literal["a", "b"], "b", "b"),
        (Colour, "red", Colour.RED),
        (datetime, "2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        (timedelta, 90, timedelta(seconds=90)),
        (Decimal, "1.10", Decimal("1.10")),
        (Path, "/a/b", Path("/a/b")),
        (UUID, "00000000-0000-0000-0000-000000000001", UUID(int=1)),
        (Annotated[int, Field(gt=0)], 1, 1),
        (Any, [{"free": 1}], [{"free": 1}]),
    ],
    ids=str,
)
async def test_data_is_parsed_as_the_parameter_is_annotated(
    task_context: Make, annotation: Any, data: JsonValue, seen: Any
) -> None:
    got: list[Any] = []

    def take(data: Any) -> None:
        got.append(data)

    take.__annotations__["data"] = annotation
    assert (await run(take, task_context(), data)).outcome is Outcome.SUCCEEDED
    assert got == [seen]


async def test_a_parameter_without_annotation_takes_the_data_as_it_is(task_context: Make) -> None:
    result = await run(lambda data: data, task_context(), {"any": ["thing"]})
    assert result == TaskResult.succeeded({"any": ["thing"]})


@pytest.mark.parametrize("names", ["data, context", "context, data", "data", "context", ""])
async def test_data_and_context_come_in_any_order_and_only_if_asked_for(task_context: Make, names: str) -> None:
    context = task_context()
    scope: dict[str, Any] = {"TaskContext": TaskContext}
    typed = names.replace("context", "context: TaskContext").replace("data", "data: int")
    exec(f"def take({typed}): return [{names}] == [{names.replace('data', '7')}]", scope)  # noqa: S102 - five signatures
    scope["context"] = context
    result = await run(scope["take"], context, 7)
    assert result == TaskResult.succeeded(data=True)


async def test_a_lone_parameter_with_a_default_gets_the_data(task_context: Make) -> None:
    def greet(context: TaskContext, name: str = "nobody") -> str:
        return f"hello {name}"

    assert (await run(greet, task_context(), "you")).data == "hello you"


async def test_further_parameters_with_defaults_are_left_to_them(task_context: Make) -> None:
    def scale(n: int, factor: int = 10) -> int:
        return n * factor

    assert (await run(scale, task_context(), 4)).data == 40


async def test_wrong_data_is_rejected_by_field_and_without_the_value(task_context: Make) -> None:
    class Login(BaseModel):
        user: str
        password: Annotated[SecretStr, Field(min_length=50)]

    def login(data: Login) -> None:
        raise AssertionError("must not run")

    login.__annotations__["data"] = Login
    result = await run(login, task_context(), {"password": "correct-horse-battery"})
    assert result.outcome is Outcome.REJECTED
    assert "user: Field required; password: " in result.error
    assert "correct-horse" not in result.error


# ---------------------------------------------------------------------- who is called


class Object:
    def __call__(self, n: int, context: TaskContext) -> int:
        context.log("called")
        return n + 1

    def method(self, n: int) -> int:
        return n + 1

    async def later(self, n: int) -> int:
        return n + 1


def plain(n: int) -> int:
    return n + 1


async def coroutine(n: int) -> int:
    return n + 1


@functools.wraps(coroutine)
def wrapper(n: int) -> Any:
    return coroutine(n)


@pytest.mark.parametrize(
    "function",
    [plain, coroutine, wrapper, Object(), Object().method, Object().later, functools.partial(plain), lambda n: n + 1],
    ids=["def", "async", "wrapped", "object", "method", "async method", "partial", "lambda"],
)
async def test_everything_that_can_be_called_can_be_a_handler(task_context: Make, function: Callable[..., Any]) -> None:
    assert (await run(function, task_context(), 1)) == TaskResult.succeeded(2)


async def test_a_sync_handler_runs_in_a_thread_with_the_callers_context_variables(task_context: Make) -> None:
    variable = contextvars.ContextVar[str]("variable")
    variable.set("seen")

    def look() -> list[Any]:
        return [variable.get(), threading.current_thread() is threading.main_thread()]

    assert (await run(look, task_context())).data == ["seen", False]


async def test_a_sync_handler_that_looks_at_its_cancellation_ends_in_its_grace(task_context: Make) -> None:
    running = threading.Event()
    seen: list[bool] = []

    def polite(context: TaskContext) -> None:
        running.set()
        seen.append(context.cancelled.wait(10) and bool(context.cancelled))

    context = task_context(grace=10)
    async with anyio.create_task_group() as group:
        group.start_soon(run, polite, context)
        assert await anyio.to_thread.run_sync(running.wait, PATIENCE)
        group.cancel_scope.cancel()
    assert seen == [True]
    assert context.outlived_by is None


# ---------------------------------------------------------------------- answers out


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        (None, None),
        (Fib(n=3), {"n": 3}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Pair(1, "a"), [1, "a"]),
        ({"when": datetime(2024, 2, 29, tzinfo=UTC)}, {"when": "2024-02-29T00:00:00Z"}),
        ([date(2024, 2, 29)], ["2024-02-29"]),
        (Colour.RED, "red"),
        (float("nan"), "NaN"),
        ({"a": [float("-inf")]}, {"a": ["-Infinity"]}),
        (2**70, 2**70),
        ((1, 2), [1, 2]),
        (Path("/a"), "/a"),
    ],
    ids=str,
)  # fmt: skip
async def test_answers_become_json(task_context: Make, answer: Any, data: JsonValue) -> None:
    assert (await run(lambda: answer, task_context())) == TaskResult.succeeded(data)


async def test_a_task_result_is_passed_on_and_its_data_becomes_json_too(task_context: Make) -> None:
    given = TaskResult.failed("no such branch", {"ratio": float("nan")})
    assert (await run(lambda: given, task_context())) == TaskResult.failed("no such branch", {"ratio": "NaN"})


def circular() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(5000):
        found = [found]
    return found


@pytest.mark.parametrize("answer", [object(), {"f": plain}, b"\xff", "\udcff", circular(), deep()], ids=lambda _: "")
async def test_an_answer_that_json_cannot_hold_is_a_failure_that_names_the_function(
    task_context: Make, answer: Any
) -> None:
    def unjust() -> Any:
        return answer

    result = await run(unjust, task_context())
    assert result.outcome is Outcome.FAILED
    assert "unjust returned something that JSON cannot hold" in result.error


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_what_it_raises_is_the_failure_and_the_log_has_the_place_without_our_own_frames(
    task_context: Make, kind: str
) -> None:
    def broken() -> None:
        raise LookupError("no such branch")

    async def broken_async() -> None:
        broken()

    context = task_context()
    result = await run(broken if kind == "sync" else broken_async, context)
    assert result == TaskResult.failed("LookupError: no such branch")
    assert "Traceback" in context.printed()
    assert "test_handlers.py" in context.printed()
    assert "delegate_core" not in context.printed()


async def test_an_exception_without_a_text_is_named_by_its_kind(task_context: Make) -> None:
    def broken() -> None:
        raise KeyError

    assert (await run(broken, task_context())).error == "KeyError"


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


_GROUP = ExceptionGroup("two", [ValueError("one"), ExceptionGroup("inner", [KeyError("two")])])


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
        (asyncio.CancelledError("elsewhere"), "CancelledError: elsewhere"),
        (UnprintableError(), "UnprintableError"),
        (_GROUP, "ValueError: one; KeyError: 'two'"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_whatever_it_raises_is_its_own_failure_and_ends_no_runner(
    task_context: Make, error: BaseException, message: str, kind: str
) -> None:
    def broken() -> None:
        raise error

    async def broken_async() -> None:
        raise error

    result = await run(broken if kind == "sync" else broken_async, task_context())
    assert result == TaskResult.failed(message)


async def test_a_secret_in_a_traceback_is_masked_in_the_log(task_context: Make) -> None:
    def broken() -> None:
        raise RuntimeError(f"wrong password {PASSWORD}")

    context = task_context(Task(id="t", type="test", masks=(PASSWORD,)))
    await run(broken, context)
    assert "RuntimeError: wrong password ******" in context.printed()


async def test_what_a_task_runs_gets_no_more_grace_than_fits_before_the_servers_deadline(tmp_path: Path) -> None:
    surroundings = PrintingContext(task(), tmp_path)._own  # what a context of a runner would draw on
    now = anyio.current_time()
    for left, most in ((-5.0, 0.7), (1.0, 1.4), (1000.0, 10.0)):
        context = TaskContext(task(), surroundings, deadline=now + left, grace=10.0, margin=1.0)
        assert 0 < context.grace <= most + 1e-6
    assert TaskContext(task(), surroundings, grace=10.0).grace == 10.0


async def test_a_result_beyond_the_limit_is_a_failure_that_says_so(backend: Scripted, bench: Bench) -> None:
    async def wordy() -> list[str]:
        return ["word"] * 1000

    await bench.start({"wordy": wordy}, result_limit=5000)
    await backend.offer("wordy")
    result = await backend.result()
    assert (result.outcome, result.data) == (Outcome.FAILED, None)
    assert result.error.endswith("bytes, and 5,000 are allowed; raise result_limit if it may")
