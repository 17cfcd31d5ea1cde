"""What the local repository says of itself."""

from __future__ import annotations

import os

import pytest

from delegate_core.errors import SettingsError
from delegate_drone.local.git import look, resolve
from tests.drone.local.command import Command


def test_a_folder_without_repository_has_a_name_and_nothing_else(delegate: Command) -> None:
    checkout = look(delegate.folder)
    assert (checkout.root, checkout.slug, checkout.branch, checkout.commit) == (None, "local/project", "", "")


def test_a_repository_without_commit_has_a_branch(delegate: Command) -> None:
    delegate.git("init", "-q")
    checkout = look(delegate.folder)
    assert (checkout.root, checkout.branch, checkout.commit) == (delegate.folder, "main", "")


def test_commit_author_message_and_parent_are_known(delegate: Command) -> None:
    first = delegate.commit()
    second = delegate.commit("two\n\nlines")
    checkout = look(delegate.folder)
    assert (checkout.commit, checkout.parent, checkout.message) == (second, first, "two\n\nlines")
    assert (checkout.author_name, checkout.author_email) == ("Ada", "ada@example.org")


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://git.example.org/ada/engine.git", "ada/engine"),
        ("git@git.example.org:ada/engine.git", "ada/engine"),
        ("ssh://git@git.example.org:2222/ada/engine/", "ada/engine"),
        ("https://git.example.org/group/sub/engine", "sub/engine"),
        ("engine", "local/project"),
    ],
)
def test_the_slug_comes_from_origin(delegate: Command, url: str, slug: str) -> None:
    delegate.commit()
    delegate.git("remote", "add", "origin", url)
    assert look(delegate.folder).slug == slug


def test_an_account_in_the_url_of_origin_is_not_passed_on(delegate: Command) -> None:
    delegate.commit()
    delegate.git("remote", "add", "origin", "https://ada:hunter22@git.example.org/ada/engine.git")
    assert look(delegate.folder).url == "https://git.example.org/ada/engine.git"


def test_work_that_is_not_committed_shows(delegate: Command) -> None:
    delegate.commit()
    assert not look(delegate.folder).modified
    delegate.write("x")
    assert look(delegate.folder).modified


def test_a_repository_is_looked_at_without_running_what_its_own_settings_name(delegate: Command) -> None:
    """It may have been downloaded, with its ``.git``, by somebody who only wants to see the plan."""
    delegate.commit()
    canary = delegate.folder.parent / "canary"
    program = f"touch {canary}; cat; false"
    delegate.git("config", "core.fsmonitor", program)
    delegate.git("config", "filter.x.clean", program)
    delegate.git("config", "gpg.program", program)
    delegate.git("config", "log.showSignature", "true")
    (delegate.folder / ".git" / "info" / "attributes").write_text("* filter=x\n")
    for file in delegate.folder.iterdir():
        os.utime(file)
    assert look(delegate.folder).commit
    assert delegate("plan").code in {0, 2}
    assert not canary.exists()
    (delegate.folder / ".git" / "info" / "attributes").unlink()
    assert not look(delegate.folder).modified
    assert not canary.exists()


def test_a_detached_head_has_no_branch_and_perhaps_a_tag(delegate: Command) -> None:
    delegate.commit()
    delegate.git("tag", "v1.2.3")
    delegate.git("checkout", "-q", "--detach")
    checkout = look(delegate.folder)
    assert (checkout.branch, checkout.tag) == ("", "v1.2.3")


@pytest.mark.parametrize("name", ["nothing", "--upload-pack=x", ""])
def test_a_name_that_means_no_commit_is_refused(delegate: Command, name: str) -> None:
    delegate.commit()
    with pytest.raises(SettingsError, match="has no branch, tag or commit"):
        resolve(look(delegate.folder), name)
