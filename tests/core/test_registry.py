"""The registry of handlers: one for each type."""

from __future__ import annotations

import pytest

from delegate_core.errors import PluginError
from delegate_core.handlers import Handler, HandlerRegistry, handler


def plain(n: int) -> int:
    return n + 1


def with_two(a: int, b: int) -> None: ...


def test_two_handlers_of_one_type_are_a_conflict_that_names_both() -> None:
    registry = HandlerRegistry()
    registry.add_functions({"fib": plain}, "the program")
    with pytest.raises(PluginError, match="'fib': one from the program, one from plugin x; remove one"):
        registry.add(Handler("fib", plain), "plugin x")


def test_of_a_set_with_a_conflict_nothing_is_added() -> None:
    registry = HandlerRegistry()
    registry.add_functions({"fib": plain}, "the program")
    with pytest.raises(PluginError):
        registry.add_all([Handler("new", plain), Handler("fib", plain)], "plugin x")
    assert registry.types() == ("fib",)


def test_what_is_no_handler_is_refused_with_the_cure() -> None:
    with pytest.raises(PluginError, match=r"plugin x: .* is no handler; decorate the function with @handler"):
        HandlerRegistry().add(plain, "plugin x")  # type: ignore[arg-type]  # that is the point


def test_a_signature_error_is_found_when_it_is_added_and_not_at_the_first_task() -> None:
    with pytest.raises(PluginError, match="with_two takes"):
        HandlerRegistry().add_functions({"two": with_two}, "the program")


def test_limits_types_and_origins_are_told() -> None:
    registry = HandlerRegistry()
    registry.add(handler("gpu", limit=1)(plain), "plugin x")
    registry.add_functions({"fib": handler("other", limit=2)(plain), "plain": plain}, "the program")
    assert registry.types() == ("fib", "gpu", "plain")
    assert registry.limits() == {"gpu": 1, "fib": 2}
    assert list(registry) == [("fib", "the program"), ("gpu", "plugin x"), ("plain", "the program")]
