"""Handlers from Python functions: typed data in, JSON out."""

from __future__ import annotations

import functools
import inspect
import sys
import traceback
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from delegate_core.cancellation import raise_if_cancelled
from delegate_core.errors import PluginError
from delegate_core.handlers.base import TaskHandler
from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.threads import call_in_thread
from delegate_core.model import Task, TaskResult

__all__ = ["FILE_MODULE", "Handler", "handler"]

FILE_MODULE = "delegate_handlers_"
"""How the module of a handler file is called, before a hash of its path."""

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Signature:
    """How to call the function: with the validated data, with the context, with both, or with neither."""

    data: TypeAdapter[Any] | None
    names: tuple[str, ...]
    data_name: str | None


class Handler(TaskHandler, Generic[P, R]):
    """A function that executes tasks of one type. Still callable as the plain function it was.

    Args:
        task_type: the type it serves.
        function: sync or async; sync ones run in a thread.
        limit: how many tasks of this type may run at once; None: as many as there are slots.
        engine: the engine that every task of this type needs, by its name: while that is down, none is taken.
        announce: for a pattern, the types that a server is told of.
        expressions: resolve ``${{secrets.ID}}`` and ``<{ }>`` in the data; off for texts of other systems.
    """

    kind: ClassVar[str] = "function"

    def __init__(
        self,
        task_type: str,
        function: Callable[P, R],
        *,
        limit: int | None = None,
        engine: str | None = None,
        announce: Iterable[str] = (),
        expressions: bool = True,
    ) -> None:
        super().__init__(task_type, limit=limit, engine=engine, announce=announce)
        self.expressions = expressions
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, as a unit test does."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<handler {self.task_type!r}: {self.origin}>"

    @property
    def origin(self) -> str:
        """Where the function is defined, for errors."""
        module: str = getattr(self.function, "__module__", None) or type(self.function).__module__
        name = getattr(self.function, "__qualname__", self.function)
        if module.startswith(FILE_MODULE):
            return f"{name} of {Path(str(sys.modules[module].__file__)).name}"
        return f"{module}.{name}"

    def renamed(self, task_type: str) -> Handler[P, R]:
        """The same function for another task type."""
        return Handler(
            task_type,
            self.function,
            limit=self.limit,
            engine=self.engine,
            announce=self.announce,
            expressions=self.expressions,
        )

    @functools.cached_property
    def _signature(self) -> _Signature:
        return _read_signature(self.function, self.origin)

    @functools.cached_property
    def _is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    def check(self) -> None:
        """Read the signature now rather than at the first task.

        Raises:
            PluginError: the function cannot be called with a task.
        """
        _ = self._signature

    async def execute(self, task: Task, context: TaskContext) -> TaskResult:
        """Validate the task's data, call the function, and make its answer a result."""
        try:
            arguments = self._arguments(task, context)
        except ValidationError as error:
            return TaskResult.rejected(f"data of {self.task_type}: {_describe(error)}")
        try:
            answer = await self._call(arguments, context)
        except GeneratorExit:
            raise  # the coroutine is being closed
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is the task's failure
            raise_if_cancelled()
            context.log(_traceback_of(error), level="error")
            return TaskResult.failed(_message_of(error))
        return self._result(answer)

    def _arguments(self, task: Task, context: TaskContext) -> dict[str, Any]:
        signature = self._signature
        arguments: dict[str, Any] = {}
        for name in signature.names:
            if name == signature.data_name and signature.data is not None:
                arguments[name] = signature.data.validate_python(task.data)
            else:
                arguments[name] = context
        return arguments

    async def _call(self, arguments: dict[str, Any], context: TaskContext) -> Any:
        function: Callable[..., Any] = self.function
        if self._is_async:
            return await function(**arguments)
        answer = await call_in_thread(functools.partial(function, **arguments), context)
        return await answer if inspect.isawaitable(answer) else answer

    def _result(self, answer: Any) -> TaskResult:
        try:
            if isinstance(answer, TaskResult):
                return answer.model_copy(update={"data": _plain(answer.data)})
            return TaskResult.succeeded(_plain(answer))
        except (ValueError, RecursionError) as error:
            return TaskResult.failed(f"{self.origin} returned something that JSON cannot hold: {error}")


def handler(
    task_type: str,
    *,
    limit: int | None = None,
    engine: str | None = None,
    announce: Iterable[str] = (),
    expressions: bool = True,
) -> Callable[[Callable[P, R]], Handler[P, R]]:
    """Make a function the handler of a task type.

    The function's parameter may be anything that pydantic can parse; a second one annotated ``TaskContext`` gets the
    task's surroundings. It may return anything JSON can hold, a model, or a `TaskResult`; what it raises is the
    task's failure.

    Example::

        class Fib(BaseModel):
            n: int

        @handler("fib")
        async def fib(params: Fib, context: TaskContext) -> int:
            context.log(f"computing fib({params.n})")
            ...
    """
    if limit is not None and limit < 1:
        raise PluginError(f"handler {task_type!r}: limit is {limit}; it must be 1 or more")

    def decorate(function: Callable[P, R]) -> Handler[P, R]:
        return Handler(task_type, function, limit=limit, engine=engine, announce=announce, expressions=expressions)

    return decorate


def _read_signature(function: Callable[..., Any], origin: str) -> _Signature:
    try:
        parameters = list(inspect.signature(function).parameters.values())
        hints = typing.get_type_hints(_annotated(function), include_extras=True)
    except (TypeError, ValueError) as error:
        raise PluginError(f"handler {origin} is no function whose parameters can be read: {error}") from error
    except NameError as error:
        raise PluginError(
            f"handler {origin}: the annotations cannot be resolved: {error}; "
            "import what they name at the top of the module, outside `if TYPE_CHECKING:`"
        ) from error
    contexts = [p.name for p in parameters if hints.get(p.name) is TaskContext]
    data = _data_names([p for p in parameters if p.name not in contexts])
    names = (*data, *contexts)
    if len(data) > 1 or len(contexts) > 1 or any(p.kind in _UNNAMED for p in parameters):
        raise PluginError(
            f"handler {origin} takes ({', '.join(names)}); it may take one parameter for the task's data "
            "and one annotated TaskContext"
        )
    if not data:
        return _Signature(None, names, None)
    return _Signature(_adapter(hints.get(data[0], Any), origin), names, data[0])


def _data_names(parameters: list[inspect.Parameter]) -> list[str]:
    """The parameters that must have the task's data; one with a default gets it only if it is the only one."""
    required = [p.name for p in parameters if p.default is p.empty]
    return required or [p.name for p in parameters[:1] if len(parameters) == 1]


def _annotated(function: Callable[..., Any]) -> Callable[..., Any]:
    """What carries the annotations: the function within a partial, the method of an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


_UNNAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)


def _adapter(annotation: Any, origin: str) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation)
    except Exception as error:
        raise PluginError(f"handler {origin}: pydantic cannot parse {annotation!r}: {error}") from error


def _plain(answer: Any) -> Any:
    """The answer as JSON has it: models, dataclasses and dates become objects and texts, NaN becomes a text.

    Raises:
        ValueError: JSON cannot hold it.
    """
    return from_json(to_json(answer, inf_nan_mode="strings"))


def _describe(error: ValidationError) -> str:
    """Each wrong field by its path, without the value: it may be a secret."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'the data'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _message_of(error: BaseException) -> str:
    """Its kind and its text; of a group, those of what is in it."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_message_of(one) for one in error.exceptions)
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - it is the handler's own class, whose text may be broken
        return kind
    return f"{kind}: {text}" if text else kind


_OURS = Path(__file__).parent


def _traceback_of(error: BaseException) -> str:
    """The traceback from the handler's own frame on."""
    frames = traceback.TracebackException.from_exception(error)
    own = [frame for frame in frames.stack if Path(frame.filename).parent != _OURS]
    frames.stack = traceback.StackSummary.from_list(own)
    return "".join(frames.format()).rstrip()
