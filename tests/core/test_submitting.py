"""The options of ``delegate submit`` that go to the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from delegate_core.cli.submitting import read_arguments
from delegate_core.errors import SettingsError


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["f.yml"], {}),
        (["f.yml", "--branch", "main", "--event=tag"], {"branch": "main", "event": "tag"}),
        (["--branch", "main", "f.yml"], {"branch": "main"}),
        (["--trusted", "f.yml"], {"trusted": "true"}),
        (["--trusted", "--branch", "x", "f.yml"], {"trusted": "true", "branch": "x"}),
        (["f.yml", "--trusted"], {"trusted": "true"}),
        (["f.yml", "--secret", "a=1", "--secret", "b=2"], {"secret": "a=1\nb=2"}),
        (["-", "--message", "-x"], None),
    ],
)
def test_what_is_no_option_of_ours_goes_to_the_server(arguments: list[str], options: dict[str, str] | None) -> None:
    file, found = read_arguments(arguments, [], None)
    assert str(file) == arguments[0] if arguments[0] in {"f.yml", "-"} else "f.yml"
    assert found == ({"message": "-x"} if options is None else options)


def test_pairs_and_the_repository_are_options_too() -> None:
    _, found = read_arguments(["f.yml"], ["branch=a=b"], Path("here"))
    assert found == {"branch": "a=b", "repo": str(Path("here").absolute())}


@pytest.mark.parametrize(
    ("arguments", "pairs", "text"),
    [
        ([], [], "name one file, or - for standard input"),
        (["a", "b"], [], "name one file, or - for standard input; not a, b"),
        (["a"], ["branch"], "--option branch: write it as name=value"),
    ],
)
def test_a_mistake_is_named(arguments: list[str], pairs: list[str], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_arguments(arguments, pairs, None)
    assert str(caught.value) == text
