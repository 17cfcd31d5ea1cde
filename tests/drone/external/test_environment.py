"""The extra variables of a build."""

from __future__ import annotations

from typing import Any

import pytest

from delegate_drone.external import EnvironmentSources, Variables, VariablesError
from tests.drone.external.builds import details
from tests.drone.external.extension import Answer, answering, client


async def test_the_extension_s_variables_go_over_those_of_the_settings_and_some_are_masked() -> None:
    given = [
        {"name": "A", "data": "2"},
        {"name": "B", "data": "hidden", "mask": True},
        {"name": "C", "data": "old", "mask": True},
        {"name": "C", "data": "new"},
    ]
    async with answering(lambda _: Answer.of(given)) as extension, client(extension.url) as ours:
        variables = await EnvironmentSources({"A": "1", "B": "1", "D": "1"}, ours).resolve(details())
        (question,) = extension.questions
    assert question.headers["accept"] == "application/vnd.drone.env.v2+json"
    assert question.content.keys() == {"repo", "build"}
    assert variables.plain == {"A": "2", "C": "new", "D": "1"}
    assert variables.masked == {"B": "hidden"}
    assert "hidden" not in repr(variables)


async def test_without_an_extension_there_are_those_of_the_settings() -> None:
    assert await EnvironmentSources({"A": "1"}).resolve(details()) == Variables({"A": "1"}, {})


@pytest.mark.parametrize("answer", [Answer(status=204), Answer.of([]), Answer.of(None)])
async def test_an_extension_may_have_none(answer: Answer) -> None:
    async with answering(lambda _: answer) as extension, client(extension.url) as ours:
        assert await EnvironmentSources({"A": "1"}, ours).resolve(details()) == Variables({"A": "1"}, {})


async def test_an_extension_of_the_first_version_answers_a_map() -> None:
    async with answering(lambda _: Answer.of({"A": "2"})) as extension, client(extension.url) as ours:
        assert await EnvironmentSources({}, ours).resolve(details()) == Variables({"A": "2"}, {})


async def test_a_failing_extension_is_an_error_and_the_variables_of_the_settings_are_still_there() -> None:
    failing = answering(lambda _: Answer(b"out of order", 503))
    async with failing as extension, client(extension.url, kind="environment") as ours:
        sources = EnvironmentSources({"A": "1"}, ours)
        with pytest.raises(VariablesError, match=r"the environment extension at .* 503: out of order"):
            await sources.resolve(details())
    assert sources.static == {"A": "1"}


@pytest.mark.parametrize("answer", [[{"data": "hidden"}], "hidden", [{"name": "A", "data": ["hidden"]}], {"A": 1}])
async def test_an_answer_of_another_shape_is_an_error_that_does_not_show_it(answer: Any) -> None:
    async with answering(lambda _: Answer.of(answer)) as extension, client(extension.url) as ours:
        with pytest.raises(VariablesError, match="no list of variables") as caught:
            await EnvironmentSources({}, ours).resolve(details())
    assert "hidden" not in str(caught.value)
