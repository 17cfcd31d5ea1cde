"""Executables that are downloaded: from real servers that fail in every way; the cache keeps only what is whole."""

from __future__ import annotations

import hashlib
import io
import lzma
import ssl
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from delegate_core import Download, PlatformDownload, SecretFrom, executable
from delegate_core.artifacts import ArtifactCache, platforms
from delegate_core.errors import PluginError
from delegate_core.model import Outcome
from delegate_core.testing.bench import PATIENCE
from delegate_core.testing.surroundings import PrintingContext
from tests.artifacts.conftest import PROGRAM, Run, kept
from tests.http.server import Connection, Handler, always, reply, serving

Make = Callable[..., PrintingContext]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def source(*urls: str, data: bytes = PROGRAM, **options: Any) -> Download:
    return Download(downloads=(PlatformDownload(urls=urls, sha256=sha256(data)),), **options)


def binary(data: bytes, status: str = "200 OK", **headers: str) -> bytes:
    return reply(data, status, **{"content_type": "application/octet-stream", **headers})


def tarred(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


async def test_it_is_downloaded_once_and_then_in_the_cache(run: Run, task_context: Make, cache: Path) -> None:
    first, second = task_context(), task_context()
    async with serving(always(binary(PROGRAM))) as server:
        one = await run(source(server.url), first)
        two = await run(source(server.url), second)
    assert (one.data, two.data) == ("fetched", "fetched")
    assert f"downloading {server.url}" in first.printed()
    assert second.printed() == ""
    assert len(server.connections) == 1
    assert len(kept(cache)) == 1


async def test_the_same_file_from_another_address_is_the_same_entry(run: Run, task_context: Make, cache: Path) -> None:
    async with serving(always(binary(PROGRAM))) as server:
        await run(source(server.url), task_context())
    assert (await run(source("http://127.0.0.1:9/mirror"), task_context())).data == "fetched"


async def test_an_archive_is_unpacked_and_its_program_made_executable(run: Run, task_context: Make) -> None:
    data = tarred("tool-1/bin/tool", PROGRAM)
    async with serving(always(binary(data))) as server:
        options: dict[str, Any] = {"data": data, "format": "tar.xz"}
        assert (await run(source(server.url, **options, run="tool-1/bin/tool"), task_context())).data == "fetched"
        missing = await run(source(server.url, **options, run="tool-1/bin/other"), task_context())
    assert "there is no file 'tool-1/bin/other' in it; there are: tool-1/bin/tool" in missing.error


async def test_a_compressed_file_goes_by_the_end_of_its_address(run: Run, task_context: Make) -> None:
    data = lzma.compress(PROGRAM)
    async with serving(always(binary(data))) as server:
        assert (await run(source(f"{server.url}/tool.xz?signature=1", data=data), task_context())).data == "fetched"


async def test_a_new_digest_under_the_same_address_is_a_new_program(run: Run, task_context: Make) -> None:
    newer = PROGRAM.replace(b"fetched", b"newer")
    async with serving(always(binary(PROGRAM))) as server:
        assert (await run(source(server.url), task_context())).data == "fetched"
        assert "its sha256 is" in (await run(source(server.url, data=newer), task_context())).error


async def test_what_is_damaged_although_its_digest_is_right_is_never_a_hit(
    run: Run, task_context: Make, cache: Path
) -> None:
    damaged = lzma.compress(PROGRAM * 100)[:-20]
    async with serving(always(binary(damaged))) as server:
        for _ in range(2):
            result = await run(source(server.url, data=damaged, format="xz"), task_context())
            assert "what was downloaded is no sound xz file" in result.error
            assert kept(cache) == []


async def test_another_digest_is_refused_and_the_next_address_asked(run: Run, task_context: Make, cache: Path) -> None:
    context, evil = task_context(), b"#!/bin/sh\necho evil\n"
    async with serving(always(binary(evil))) as bad, serving(always(binary(PROGRAM))) as good:
        failed = await run(source(bad.url), context)
        assert kept(cache) == []
        assert (await run(source(bad.url, good.url), task_context())).data == "fetched"
    assert failed.outcome is Outcome.FAILED
    assert f"its sha256 is {sha256(evil)}, not {sha256(PROGRAM)}" in failed.error


def cut_in_the_middle(times: int) -> Handler:
    async def handler(connection: Connection) -> None:
        await connection.receive()
        whole = binary(PROGRAM)
        await connection.send(whole if connection.number > times else whole[:-10])

    return handler


async def test_a_cut_download_is_tried_again_and_never_a_hit(run: Run, task_context: Make, cache: Path) -> None:
    context = task_context()
    async with serving(cut_in_the_middle(1)) as server:
        assert (await run(source(server.url), context)).data == "fetched"
    assert "trying again in" in context.printed()
    assert len(kept(cache)) == 1


async def test_a_network_error_in_the_middle_goes_on_to_the_next_address(run: Run, task_context: Make) -> None:
    context = task_context()
    async with serving(cut_in_the_middle(99)) as bad, serving(always(binary(PROGRAM))) as good:
        assert (await run(source(bad.url, good.url), context)).data == "fetched"
    assert len(bad.connections) == 1
    assert "trying again" not in context.printed()


async def test_a_server_that_recovers_is_waited_for(run: Run, task_context: Make) -> None:
    async def recovering(connection: Connection) -> None:
        await connection.receive()
        await connection.send(binary(b"", "503 Busy") if connection.number == 1 else binary(PROGRAM))

    context = task_context()
    async with serving(recovering) as server:
        assert (await run(source(server.url), context)).data == "fetched"
    assert "status 503 Busy" in context.printed()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (binary(b"gone", "404 Not Found"), "status 404 Not Found"),
        (binary(b"x" * 5000), "has 5,000 bytes or more, and 1,000 are allowed; raise size_limit"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, "bytes or more, and 1,000 are allowed"),
        (binary(b"", "302 Found", location="ftp://elsewhere/x"), "cannot be asked"),
    ],
)
async def test_what_would_not_help_is_not_tried_again(
    run: Run, task_context: Make, cache: Path, answer: bytes, complaint: str
) -> None:
    async def handler(connection: Connection) -> None:
        await connection.receive()
        await connection.send(answer)

    context = task_context()
    async with serving(handler) as server:
        result = await run(source(f"{server.url}?token=hush-hush", size_limit=1000), context)
    assert result.outcome is Outcome.FAILED
    assert complaint in result.error
    assert "hush" not in result.error + context.printed()
    assert len(server.connections) == 1
    assert kept(cache) == []


async def test_a_redirect_is_followed_and_a_secret_header_stays_with_its_host(
    run: Run, task_context: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "correct-horse-battery")
    seen: list[str] = []

    def noting(data: bytes) -> Handler:
        async def handler(connection: Connection) -> None:
            seen.append(await connection.receive())
            await connection.send(data)

        return handler

    async with (
        serving(noting(binary(PROGRAM))) as storage,
        serving(noting(binary(b"", "302 Found", location=storage.url))) as server,
    ):
        header = {"Authorization": SecretFrom(environment="TOKEN", prefix="token ")}
        assert (await run(source(server.url, headers=header), task_context())).data == "fetched"
    assert "authorization: token correct-horse-battery" in seen[0].lower()
    assert "authorization" not in seen[1].lower()


def tls_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_server_is_trusted_by_the_runners_authorities_only(
    run: Run, task_context: Make, tmp_path: Path
) -> None:
    authority, file = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    context = task_context()
    async with serving(always(binary(PROGRAM)), tls_context(authority)) as server:
        refused = await run(source(server.url), context)
        trusted = await run(source(server.url), task_context(), ca_files=(file,))
    assert "give the server's CA with --ca-file" in refused.error
    assert "trying again" not in context.printed()
    assert trusted.data == "fetched"


async def test_a_redirect_from_https_to_http_is_refused(run: Run, task_context: Make, tmp_path: Path) -> None:
    authority, file = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    async with serving(always(binary(PROGRAM))) as plain:
        redirect = always(binary(b"", "302 Found", location=plain.url))
        async with serving(redirect, tls_context(authority)) as server:
            result = await run(source(server.url), task_context(), ca_files=(file,))
    assert "redirects from https to what is not" in result.error
    assert plain.connections == []


async def test_redirects_without_end_are_given_up(run: Run, task_context: Make) -> None:
    async with serving(always(binary(b"", "302 Found", location="/again"))) as server:
        assert "more than 5 redirects" in (await run(source(server.url), task_context())).error


async def test_a_compressing_proxy_does_not_change_what_is_checked(run: Run, task_context: Make) -> None:
    seen: list[str] = []

    async def handler(connection: Connection) -> None:
        seen.append(await connection.receive())
        await connection.send(binary(PROGRAM, content_encoding="gzip"))

    async with serving(handler) as server:
        assert (await run(source(server.url), task_context())).data == "fetched"
    assert "accept-encoding: identity" in seen[0].lower()


async def test_without_a_sha256_it_runs_only_where_that_is_allowed_and_the_log_warns(
    run: Run, task_context: Make
) -> None:
    context = task_context()
    async with serving(always(binary(PROGRAM))) as server:
        unverified = Download(downloads=(PlatformDownload(urls=(server.url,)),), unverified=True)
        assert (await run(unverified, context)).data == "fetched"
    assert "is not verified: no sha256 is known of it" in context.printed()


async def test_an_address_where_nobody_listens_is_named_and_the_entry_tells_where_it_came_from(
    run: Run, task_context: Make, cache: Path
) -> None:
    context = task_context()
    async with serving(always(binary(PROGRAM))) as server:
        assert (await run(source("http://127.0.0.1:1/x", f"{server.url}?secret=1"), context)).data == "fetched"
    assert "connection refused: is the server at 127.0.0.1:1 running?" in context.printed()
    assert [entry.source for entry in ArtifactCache(cache).entries()] == [server.url]


async def test_progress_is_in_the_log(run: Run, task_context: Make) -> None:
    context, data = task_context(), PROGRAM + b"#" * 5 * 1024 * 1024
    async with serving(always(binary(data))) as server:
        assert (await run(source(server.url, data=data), context)).data == "fetched"
    lines = context.printed().splitlines()
    assert lines[0] == f"downloading {server.url} (5.0 MiB)"
    assert [line for line in lines if line.endswith("%")]
    assert lines[-1].startswith("downloaded 5.0 MiB in ")


async def test_a_killed_download_leaves_nothing_and_the_next_one_starts_anew(
    run: Run, task_context: Make, cache: Path
) -> None:
    arrived = anyio.Event()

    async def stall(connection: Connection) -> None:
        await connection.receive()
        await connection.send(binary(PROGRAM)[:-10])
        arrived.set()
        await connection.gone()

    async with serving(stall) as server, anyio.create_task_group() as group:
        group.start_soon(run, source(server.url), task_context())
        with anyio.fail_after(PATIENCE):
            await arrived.wait()
        assert kept(cache) != []
        group.cancel_scope.cancel()
    assert kept(cache) == []
    async with serving(always(binary(PROGRAM))) as server:
        assert (await run(source(server.url), task_context())).data == "fetched"


def test_the_download_for_this_machine_is_chosen_by_any_of_its_names() -> None:
    system, architecture = platforms.here()
    other = {"os": "windows", "arch": "s390x", "urls": ["https://x/1"], "sha256": "1" * 64}
    mine = {"os": system.upper(), "arch": architecture, "urls": ["https://x/2"], "sha256": f"sha256:{'2' * 64}"}
    assert Download.model_validate({"downloads": [other, mine]}).chosen().urls == ("https://x/2",)
    with pytest.raises(
        PluginError, match=f"no download for this machine, {system}/{architecture}; only for windows/s390x"
    ):
        executable("x", Download.model_validate({"downloads": [other]})).check()


@pytest.mark.parametrize(
    ("name", "meant"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("i686", "386"), ("any", "any")]
)
def test_usual_names_of_architectures_are_understood(name: str, meant: str) -> None:
    assert platforms.architecture(name) == meant
