"""Whatever is wrong with what a user gives: an exit code, the culprit and the cure, and no traceback."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from delegate_harness.manager import EmbeddedManager
from tests.integration.command import Command, Ended, manager_settings

pytestmark = pytest.mark.anyio

RUN = ("run", "--backend", "harness", "--register-timeout", "1s", "--console", "plain")
WHO = {"DELEGATE_ACCOUNT_ID": "acct", "DELEGATE_ACCOUNT_SECRET": "0123456789abcdef" * 2}

TWO = """
from delegate_core import handler

@handler("same")
async def one(data: int) -> int:
    return data
"""


@asynccontextmanager
async def answering(reply: bytes | None) -> AsyncIterator[str]:
    """A server that gives each call the same bytes, or nothing at all."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            try:
                await stream.receive()
                if reply is not None:
                    await stream.send(reply)
                else:
                    await anyio.sleep_forever()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - not Django's
        yield f"http://127.0.0.1:{port}"
        group.cancel_scope.cancel()


def http(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


async def endpoint(delegate: Command, url: str) -> Ended:
    return await delegate(*RUN, "--endpoint", url, **WHO)


async def bad_server(delegate: Command, reply: bytes | None) -> Ended:
    async with answering(reply) as url:
        return await endpoint(delegate, url)


async def secret(delegate: Command, text: str) -> Ended:
    async with EmbeddedManager() as manager:
        given = {**manager_settings(manager), "DELEGATE_ACCOUNT_SECRET": text}
        return await delegate(*RUN, **given)


async def handlers(delegate: Command, *texts: str) -> Ended:
    names: list[str] = []
    for number, text in enumerate(texts):
        (delegate.folder / f"handlers_{number}.py").write_text(text)
        names += ["--handlers", f"handlers_{number}.py"]
    return await delegate(*RUN, "--endpoint", "http://127.0.0.1:9", *names, **WHO)


async def settings_file(delegate: Command, text: str) -> Ended:
    (delegate.folder / "delegate.toml").write_text(text)
    return await delegate(*RUN, "--endpoint", "http://127.0.0.1:9", **WHO)


async def state(delegate: Command, spoil: Callable[[Path], object]) -> Ended:
    folder = delegate.folder / "spoilt"
    folder.mkdir()
    spoil(folder)
    return await delegate(*RUN, "--endpoint", "http://127.0.0.1:9", "--state-dir", str(folder), **WHO)


def newer(folder: Path) -> None:
    with sqlite3.connect(folder / "journal.sqlite") as journal:
        journal.execute("PRAGMA user_version = 99")
    journal.close()


async def second_process(delegate: Command) -> Ended:
    async with EmbeddedManager() as manager, delegate.started(*RUN, **manager_settings(manager)) as first:
        await first.said("registered")
        second = await delegate(*RUN, **manager_settings(manager))
        assert str(first.process.pid) in second.err
        return second


async def destroyed(delegate: Command) -> Ended:
    async with EmbeddedManager() as manager:
        manager.state.accounts.get(manager.account_id).deleted = True  # type: ignore[union-attr]  # it exists
        return await delegate(*RUN, **manager_settings(manager))


async def submitted(delegate: Command, text: str, *flags: str) -> Ended:
    async with delegate.started("dev", "--console", "plain") as server:
        await server.said("registered")
        return await delegate("submit", "-", *flags, stdin=text)


@dataclass(frozen=True)
class Case:
    """What is tried, and what the user is told."""

    do: Callable[[Command], Awaitable[Ended]]
    code: int
    says: tuple[str, ...]


CASES = {
    "an endpoint that is no address": Case(
        lambda run: endpoint(run, "manager.example"), 2, ("'manager.example'", "https://")
    ),
    "an endpoint where nobody listens": Case(
        lambda run: endpoint(run, "http://127.0.0.1:9"), 5, ("connection refused", "127.0.0.1:9", "is the server")
    ),
    "an endpoint whose name is not known": Case(
        lambda run: endpoint(run, "http://no-such-host.invalid"), 5, ("no-such-host.invalid",)
    ),
    "a manager that answers HTML": Case(
        lambda run: bad_server(run, http("200 OK", "text/html", b"<html>welcome</html>")), 5, ("register", "HTML")
    ),
    "a manager behind a broken proxy": Case(
        lambda run: bad_server(run, http("502 Bad Gateway", "text/html", b"<html>oops</html>")), 5, ("502",)
    ),
    "a manager that answers JSON of its own": Case(
        lambda run: bad_server(run, http("200 OK", "application/json", b"[1, 2]")), 5, ("unexpected JSON", "Harness")
    ),
    "a manager that answers garbage": Case(lambda run: bad_server(run, b"\x00\x01\x02garbage\r\n\r\n"), 5, ("HTTP",)),
    "a manager that answers nothing": Case(lambda run: bad_server(run, None), 5, ("could not register within 1s",)),
    "a secret that is not hexadecimal": Case(lambda run: secret(run, "zz"), 4, ("not hexadecimal", "32")),
    "a secret that is too short": Case(lambda run: secret(run, "0011"), 4, ("2 bytes, 16 needed",)),
    "another account's secret": Case(
        lambda run: secret(run, "ab" * 16), 4, ("refused the token", "embedded", "secret")
    ),
    "no secret": Case(lambda run: run(*RUN, "--endpoint", "http://x", "--account-id", "a"), 2, ("secret-file",)),
    "no account": Case(lambda run: run(*RUN, "--endpoint", "http://x"), 2, ("account_id", "--account-id")),
    "no backend": Case(lambda run: run("run"), 2, ("--backend harness",)),
    "an unknown backend": Case(lambda run: run("run", "--backend", "jenkins"), 3, ("'jenkins'", "harness")),
    "an unknown flag": Case(lambda run: run(*RUN, "--capacty", "3"), 2, ("--capacty", "--capacity")),
    "a flag with a bad value": Case(
        lambda run: run(*RUN, "--capacity", "many", **WHO), 2, ("--capacity", "'many'", "integer")
    ),
    "a bad duration": Case(lambda run: run(*RUN, "--poll-interval", "3 parsecs", **WHO), 2, ("3 parsecs", "1h30m")),
    "an unknown key in the file": Case(lambda run: settings_file(run, "capcity = 3"), 2, ("line 1", "capacity")),
    "a file that is not TOML": Case(lambda run: settings_file(run, "capacity = = 3"), 2, ("delegate.toml", "TOML")),
    "a handler file that is not there": Case(
        lambda run: run(*RUN, "--handlers", "none.py", "--endpoint", "http://x", **WHO), 3, ("none.py", "not exist")
    ),
    "a handler file with a syntax error": Case(
        lambda run: handlers(run, "x = 1\ndef f(:\n"), 3, ("handlers_0.py, line 2", "SyntaxError")
    ),
    "a handler file that does not import": Case(
        lambda run: handlers(run, "\nimport no_such_module\n"), 3, ("handlers_0.py, line 2", "no_such_module")
    ),
    "a handler file without a handler": Case(lambda run: handlers(run, "x = 1\n"), 3, ("no handler", "@handler")),
    "two handlers for one type": Case(
        lambda run: handlers(run, TWO, TWO), 3, ("'same'", "handlers_0.py", "handlers_1.py", "remove one")
    ),
    "a second process on one state folder": Case(second_process, 6, ("in use by process", "--state-dir")),
    "a journal of a newer program": Case(lambda run: state(run, newer), 6, ("version 99", "--state-dir")),
    "a journal that is none": Case(
        lambda run: state(run, lambda folder: (folder / "journal.sqlite").write_bytes(b"no database" * 500)),
        6,
        ("journal.sqlite", "not a database"),
    ),
    "a state folder that cannot be made": Case(
        lambda run: run(*RUN, "--endpoint", "http://x", "--state-dir", "/proc/nothing/here", **WHO),
        6,
        ("/proc/nothing/here", "--state-dir"),
    ),
    "an account that was deleted": Case(destroyed, 7, ("told this delegate to end",)),
    "data that does not validate": Case(
        lambda run: submitted(run, '{"type": "script", "data": {"commands": ["true"], "shel": "sh"}}', "--wait"),
        1,
        ("rejected", "shel"),
    ),
    "a task type that nobody serves": Case(
        lambda run: submitted(run, '{"type": "nix"}', "--wait", "--timeout", "100ms"), 1, ("supports", "nix", "script")
    ),
    "a task file that is not JSON": Case(lambda run: submitted(run, '{"type": '), 2, ("line 1", "not JSON")),
    "a task file with a wrong field": Case(lambda run: submitted(run, '{"typ": "x"}'), 2, ("typ", "the fields are")),
    "a command without a development server": Case(lambda run: run("cancel", "1"), 1, ("delegate dev",)),
    "a port that is none": Case(lambda run: run("dev", "--no-runner", "--port", "99999"), 2, ("--port", "65535")),
    "a task file that is not there": Case(lambda run: run("submit", "none.json"), 2, ("none.json",)),
}


@pytest.mark.parametrize("name", CASES)
async def test_bad_input_is_explained(delegate: Command, name: str) -> None:
    case = CASES[name]
    ended = await case.do(delegate)
    told = ended.out + ended.err
    assert "Traceback" not in told, told
    assert ended.code == case.code, told
    for words in case.says:
        assert words in told
