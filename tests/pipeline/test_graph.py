"""Who waits for whom, and what an author is told of a graph that cannot be followed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.pipeline.graph import (
    DependencyCycle,
    DuplicateName,
    Graph,
    GraphError,
    UnknownDependency,
    in_sequence,
    problems,
)
from delegate_core.pipeline.spec import Stage, Step
from tests.pipeline.stages import acyclic_steps


def step(name: str, *needs: str) -> Step:
    return Step(name=name, depends_on=needs)


def test_an_order_respects_every_dependency_and_else_the_file() -> None:
    graph = Graph([step("deploy", "test"), step("lint"), step("test", "build"), step("build")])
    assert graph.order() == ("build", "test", "deploy", "lint")
    assert graph.names == ("deploy", "lint", "test", "build")


def test_a_dependency_named_twice_counts_once() -> None:
    assert Graph([step("a"), step("b", "a", "a")]).needs("b") == ("a",)


def test_an_unknown_dependency_is_named_with_the_nearest_name() -> None:
    with pytest.raises(UnknownDependency) as caught:
        Graph([step("Build"), step("test", "biuld")])
    assert str(caught.value) == 'step "test" depends on "biuld", which does not exist: did you mean "Build"?'
    assert (caught.value.vertex, caught.value.dependency, caught.value.nearest) == ("test", "biuld", "Build")


def test_nothing_is_guessed_where_no_name_is_near() -> None:
    with pytest.raises(UnknownDependency, match=r"there is no step of that name$"):
        Graph([step("build"), step("test", "publish")])


def test_a_step_is_never_guessed_as_its_own_dependency() -> None:
    (problem,) = problems([step("tests", "test")])
    assert isinstance(problem, UnknownDependency)
    assert problem.nearest is None


def test_a_cycle_is_shown_as_a_path_from_its_first_in_the_file() -> None:
    with pytest.raises(DependencyCycle) as caught:
        Graph([step("setup"), step("build", "setup", "deploy"), step("test", "build"), step("deploy", "test")])
    assert caught.value.path == ("build", "deploy", "test", "build")
    assert '"build" → "deploy" → "test" → "build"' in str(caught.value)


def test_a_step_that_depends_on_itself_is_told_so() -> None:
    with pytest.raises(DependencyCycle, match='step "build" depends on itself'):
        Graph([step("build", "build")])


def test_a_duplicate_name_is_reported_once_and_makes_no_false_cycle() -> None:
    (problem,) = problems(in_sequence([step("a"), step("b"), step("a"), step("a")]))
    assert isinstance(problem, DuplicateName)
    assert 'two steps are named "a"' in str(problem)


def test_all_problems_are_found_at_once() -> None:
    found = problems([step("a", "b"), step("b", "a"), step("c", "x"), step("d", "y")])
    assert [type(problem) for problem in found] == [UnknownDependency, UnknownDependency, DependencyCycle]


def test_errors_speak_of_what_the_graph_is_made_of() -> None:
    with pytest.raises(GraphError, match=r'^pipeline "test" depends on "gone"'):
        Graph([step("test", "gone")], noun="pipeline")


def test_what_needed_a_removed_step_waits_for_what_that_one_needed() -> None:
    graph = Graph([step("a"), step("b", "a"), step("c", "b"), step("d", "c", "a")]).without({"b", "c"})
    assert graph.names == ("a", "d")
    assert graph.needs("d") == ("a",)


def test_steps_in_sequence_wait_for_the_one_before() -> None:
    steps = in_sequence([step("a"), step("b", "elsewhere"), step("c")])
    assert [one.depends_on for one in steps] == [(), ("a",), ("b",)]
    assert in_sequence([]) == ()


def test_a_long_serial_pipeline_needs_no_deep_stack() -> None:
    steps = in_sequence([step(str(number)) for number in range(5000)])
    assert Graph(reversed(steps)).order() == tuple(one.name for one in steps)


@settings(deadline=None)
@given(acyclic_steps())
def test_any_graph_without_a_cycle_is_accepted_in_any_order_of_the_file(steps: tuple[Step, ...]) -> None:
    order = Graph(steps).order()
    assert sorted(order) == sorted(one.name for one in steps)
    assert all(order.index(need) < order.index(one.name) for one in steps for need in one.depends_on)


@settings(deadline=None)
@given(acyclic_steps(), st.data())
def test_an_edge_back_to_a_dependent_is_always_found(steps: tuple[Step, ...], data: st.DataObject) -> None:
    chained = [one for one in steps if one.depends_on]
    if not chained:
        return
    late = data.draw(st.sampled_from(chained))
    early = next(one for one in steps if one.name == late.depends_on[0])
    bent = [Step(name=one.name, depends_on=(*one.depends_on, late.name)) if one is early else one for one in steps]
    (problem,) = problems(bent)
    assert isinstance(problem, DependencyCycle)
    edges = {one.name: one.depends_on for one in bent}
    assert all(after in edges[before] for before, after in zip(problem.path, problem.path[1:], strict=False))
    assert problem.path[0] == problem.path[-1]


@settings(deadline=None)
@given(acyclic_steps(), st.data())
def test_removing_steps_keeps_who_waits_for_whom(steps: tuple[Step, ...], data: st.DataObject) -> None:
    removed = data.draw(st.sets(st.sampled_from([one.name for one in steps])))
    whole, rest = Graph(steps), Graph(steps).without(removed)
    for name in rest.names:
        assert _ancestors(rest, name) == _ancestors(whole, name) - removed


def _ancestors(graph: Graph, name: str) -> set[str]:
    return {found for need in graph.needs(name) for found in ({need} | _ancestors(graph, need))}


def test_an_empty_stage_is_a_valid_graph() -> None:
    assert Graph(Stage(name="empty").steps).order() == ()
