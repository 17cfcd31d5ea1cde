"""What a step spec promises to engines and to whoever prints it."""

from __future__ import annotations

from delegate_core.pipeline.container import Container, RegistryCredentials
from delegate_core.pipeline.spec import Netrc, Secret, Stage, Step

TOKEN = Secret(name="token", value="hunter2-token", variable="TOKEN")
PULLER = RegistryCredentials(address="registry.example", username="puller", password="hunter2-registry")
STAGE = Stage(
    name="default",
    netrc=Netrc(machine="git.example", login="octocat", password="hunter2-git"),
    steps=(
        Step(name="build", secrets=(TOKEN, Secret(name="empty", value="", variable="EMPTY"))),
        Step(name="image", container=Container(image="alpine:3", credentials=PULLER), secrets=(TOKEN,)),
        Step(name="public", secrets=(Secret(name="shown", value="not-so-secret", variable="SHOWN", mask=False),)),
    ),
)


def test_no_secret_shows_in_a_repr() -> None:
    text = repr(STAGE)
    assert "token" in text
    assert "octocat" in text
    assert not any(value in text for value in ("hunter2", "not-so-secret"))


def test_every_secret_of_the_stage_is_masked_once_and_empty_ones_are_not() -> None:
    assert STAGE.masks() == ("hunter2-git", "hunter2-token", "hunter2-registry")


def test_secrets_win_over_plain_variables_and_are_defined_even_when_empty() -> None:
    step = Step(name="a", environment={"TOKEN": "plain", "CI": "true"}, secrets=STAGE.steps[0].secrets)
    assert step.variables() == {"TOKEN": "hunter2-token", "CI": "true", "EMPTY": ""}


def test_a_secret_without_a_variable_is_only_masked() -> None:
    step = Step(name="a", secrets=(Secret(name="hidden", value="hunter2-hidden"),))
    assert step.variables() == {}
    assert Stage(name="s", steps=(step,)).masks() == ("hunter2-hidden",)


def test_what_is_known_at_the_start_wins_over_the_file_but_not_over_secrets() -> None:
    step = Step(name="a", environment={"STATUS": "mine", "KEPT": "1"}, secrets=(TOKEN,))
    late = step.overlaid({"STATUS": "success", "TOKEN": "no"})
    assert late.variables() == {"STATUS": "success", "KEPT": "1", "TOKEN": "hunter2-token"}
    assert step.environment == {"STATUS": "mine", "KEPT": "1"}
