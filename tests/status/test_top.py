"""``delegate top`` and ``delegate dashboard``: the command as a process, beside a runner whose status is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.command import Command
from tests.status.observed import PASSWORD, observed


async def test_piped_it_prints_the_view_once(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        it.server.submit("steps")
        await it.until("running.0.steps.0.status", "success")
        shown = await Command(tmp_path)("top", "--state-dir", str(it.runner.state_dir))
    assert shown.code == 0, shown.err
    assert "build-7" in shown.out
    assert "1 of 2" in shown.out
    assert "1/2 " in shown.out
    assert "\x1b[3" not in shown.out


async def test_it_finds_a_runner_by_its_address_with_a_token_or_a_password(tmp_path: Path) -> None:
    async with observed(tmp_path, status_password=PASSWORD) as it:
        host = it.address.url.removeprefix("http://")
        with_token = await Command(tmp_path)("top", host, DELEGATE_STATUS_TOKEN=it.address.token)
        with_password = await Command(tmp_path)("top", f"http://admin:{PASSWORD}@{host}")
        with_nothing = await Command(tmp_path)("top", it.address.url)
    assert "build-7" in with_token.out
    assert "build-7" in with_password.out
    assert with_nothing.code == 1
    assert "wants a token or a password: set DELEGATE_STATUS_TOKEN" in with_nothing.err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("http://admin:invented@", "is no address: write it as http://host:port"),
        ("ftp://host", "is no address"),
        ("host:port", "is no address"),
        ("127.0.0.1:9", "does not answer"),
    ],
)
async def test_an_address_that_is_none_or_nobodys_is_named_without_its_password(
    tmp_path: Path, given: str, says: str
) -> None:
    ended = await Command(tmp_path)("top", given)
    assert ended.code == 1
    assert says in ended.err
    assert "invented" not in ended.err
    assert "Traceback" not in ended.err


async def test_a_server_of_something_else_is_told_apart(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        ended = await Command(tmp_path)("top", f"{it.address.url}/healthz", DELEGATE_STATUS_TOKEN="wrong")
    assert (ended.code, "wants a token" in ended.err) == (1, True)


async def test_without_a_running_runner_it_says_how_to_name_one(tmp_path: Path) -> None:
    ended = await Command(tmp_path)("top", "--state-dir", str(tmp_path))
    assert ended.code == 1
    assert "no runner with the state folder" in ended.err


async def test_the_dashboards_address_opens_it(tmp_path: Path) -> None:
    async with observed(tmp_path) as it:
        printed = await Command(tmp_path)("dashboard", "--state-dir", str(it.runner.state_dir))
        reply = await it.stranger.get(printed.out.strip(), follow_redirects=True)
    assert reply.status_code == 200
    assert "<title>delegate</title>" in reply.text
