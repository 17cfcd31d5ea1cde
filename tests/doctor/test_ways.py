"""The way to a server: name, connection, proxy, TLS. What answers there is of no account, so any server will do."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.doctor.examining import Examine
from tests.http.server import Connection, answering, reply, serving, silent
from tests.http.test_proxy import tunnel

pytestmark = pytest.mark.anyio

UNREACHABLE = 5


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """The port of a host that is dead: whoever connects hears nothing, for nobody accepts and the queue is full."""
    with closing(socket.socket()) as listening, closing(socket.socket()) as first, closing(socket.socket()) as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


def certified(authority: trustme.CA, name: str, ends: datetime | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    begins = datetime.now(UTC) - timedelta(days=400)
    authority.issue_cert(name, not_before=begins, not_after=ends).configure_cert(context)
    return context


async def test_a_name_that_is_not_resolved_is_the_first_problem_and_what_follows_is_skipped(examine: Examine) -> None:
    found = await examine.drone("https://drone.invalid")
    assert found.problems == ["server name"]
    assert "drone.invalid is not resolved" in found.text("server name")
    assert found.text("server TLS") == "not looked at: server connection comes first"
    assert found.code == UNREACHABLE


async def test_a_port_on_which_nobody_listens_is_a_problem_of_the_connection(examine: Examine) -> None:
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))  # and never listens
        port = reserved.getsockname()[1]
        found = await examine.drone(f"http://127.0.0.1:{port}")
    assert f"no connection to 127.0.0.1:{port} (Connection refused)" in found.text("server connection")
    assert found.code == UNREACHABLE


async def test_a_dead_host_is_given_up_after_the_patience(examine: Examine, full_backlog: int) -> None:
    found = await examine.drone(f"http://127.0.0.1:{full_backlog}", "--patience", "300ms")
    assert f"no connection to 127.0.0.1:{full_backlog} within 0.3s" in found.text("server connection")
    assert found.code == UNREACHABLE


@pytest.mark.parametrize(
    ("name", "ends", "trusted", "words"),
    [
        ("127.0.0.1", None, False, "not trusted here: unable to get local issuer certificate; to do: give the CA"),
        ("drone.example", None, True, "is for another name: IP address mismatch"),
        ("127.0.0.1", datetime.now(UTC) - timedelta(days=2), True, "has expired, by this machine's clock"),
    ],
    ids=["unknown authority", "wrong host name", "expired"],
)
async def test_a_certificate_that_is_not_trusted_is_named_with_the_reason(
    examine: Examine,
    authority: trustme.CA,
    ca_file: Path,
    name: str,
    ends: datetime | None,
    words: str,
    *,
    trusted: bool,
) -> None:
    given = ["--ca-file", str(ca_file)] if trusted else []
    async with serving(silent, certified(authority, name, ends)) as server:
        found = await examine.drone(f"https://127.0.0.1:{server.port}", *given)
    assert found.status("server connection") == "ok"
    assert words in found.text("server TLS")
    assert found.code == UNREACHABLE


async def test_a_certificate_that_ends_soon_is_a_warning_and_one_that_does_not_is_fine(
    examine: Examine, authority: trustme.CA, ca_file: Path
) -> None:
    for days, status in ((3, "warning"), (300, "ok")):
        ends = datetime.now(UTC) + timedelta(days=days)
        async with serving(answering(reply(b"")), certified(authority, "127.0.0.1", ends)) as server:
            found = await examine.drone(f"https://127.0.0.1:{server.port}", "--ca-file", str(ca_file))
        assert found.status("server TLS") == status
        assert f"valid until {ends:%Y-%m-%d}" in found.text("server TLS")


async def test_that_any_certificate_is_trusted_is_a_warning(examine: Examine, authority: trustme.CA) -> None:
    async with serving(answering(reply(b"")), certified(authority, "drone.example")) as server:
        found = await examine.drone(f"https://127.0.0.1:{server.port}", "--insecure")
    assert found.status("server TLS") == "warning"
    assert "--ca-file instead of --insecure" in found.text("server TLS")


async def test_http_where_https_is_meant_is_told_from_a_wrong_certificate(examine: Examine) -> None:
    async def puzzled(connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.send(reply(b"", "400 Bad Request"))
        await connection.gone()

    async with serving(puzzled) as server:
        found = await examine.drone(f"https://127.0.0.1:{server.port}")
    assert "does not speak TLS as we do: wrong version number; to do: write http" in found.text("server TLS")


async def test_a_secret_in_the_clear_is_a_warning_unless_it_stays_on_this_machine(examine: Examine) -> None:
    async with serving(answering(reply(b""))) as proxy:
        given = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"}
        away = await examine.drone("http://drone.invalid", **given)
        here = await examine.drone(f"http://127.0.0.1:{proxy.port}")
    assert away.status("server TLS") == "warning"
    assert "everybody on the way can read the secret" in away.text("server TLS")
    assert here.status("server TLS") == "ok"


async def test_a_proxy_that_is_not_there_is_named_with_its_variable(examine: Examine) -> None:
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        given = {"HTTPS_PROXY": f"http://127.0.0.1:{reserved.getsockname()[1]}"}
        found = await examine.drone("https://drone.invalid", **given)
    assert "(the proxy of HTTPS_PROXY)" in found.text("server connection")
    assert "correct HTTPS_PROXY, or name drone.invalid in NO_PROXY" in found.text("server connection")


async def test_a_proxy_that_does_not_connect_us_is_told_from_the_server(examine: Examine) -> None:
    async with serving(answering(reply(b"", "403 Forbidden"))) as proxy:
        found = await examine.drone("https://drone.invalid", HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}")
    assert "does not connect us to drone.invalid:443: 'HTTP/1.1 403 Forbidden'" in found.text("server TLS")


async def test_tls_is_agreed_on_through_a_proxy(examine: Examine, authority: trustme.CA, ca_file: Path) -> None:
    asked: list[str] = []
    context = certified(authority, "127.0.0.1", datetime.now(UTC) + timedelta(days=300))
    async with serving(tunnel(asked)) as proxy, serving(answering(reply(b"")), context) as server:
        given = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        found = await examine.drone(f"https://127.0.0.1:{server.port}", "--ca-file", str(ca_file), **given)
    assert found.status("server TLS") == "ok"
    assert asked[0] == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"


async def test_a_host_that_no_proxy_names_is_reached_directly(examine: Examine) -> None:
    async with serving(answering(reply(b""))) as server:
        given = {"HTTP_PROXY": "http://proxy.invalid:3128", "NO_PROXY": "127.0.0.1"}
        found = await examine.drone(f"http://127.0.0.1:{server.port}", **given)
    assert found.status("server connection") == "ok"
