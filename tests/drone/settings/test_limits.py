"""Which builds a runner is willing to run."""

from __future__ import annotations

import pytest

from delegate_drone.limits import Limits
from delegate_drone.wire import Build, Details, Repository


def build(slug: str = "octo/hello", event: str = "push", *, trusted: bool = False) -> Details:
    return Details(build=Build(event=event), repository=Repository(slug=slug, trusted=trusted))


def test_without_limits_every_build_is_run() -> None:
    assert Limits().refusal(build()) is None


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(repos=("other/*", "*")), "the repository octo/hello: see its --limit-repo"),
        (Limits(events=("tag", "pull_*")), "the event push: see its --limit-event"),
        (Limits(trusted=True), "octo/hello is not: see its --limit-trusted"),
    ],
)
def test_a_build_beyond_a_limit_is_refused_with_the_reason(limits: Limits, reason: str) -> None:
    assert (limits.refusal(build()) or "").endswith(reason)


def test_a_build_that_meets_one_pattern_of_each_limit_is_run() -> None:
    limits = Limits(("other/*", "octo/h*"), ("tag", "pu*"), trusted=True)
    assert limits.refusal(build(trusted=True)) is None
