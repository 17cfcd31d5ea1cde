"""Whom a transport trusts, and as whom it appears."""

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from delegate_core.http import Interrupted, TlsFailed, TlsOptions, TransportError
from tests.http.conftest import MakeTransport
from tests.http.server import Connection, answering, reply, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def demanding_context(authority: trustme.CA) -> ssl.SSLContext:
    context = server_context(authority)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def status(make_transport: MakeTransport, tls: TlsOptions, context: ssl.SSLContext) -> int:
    async with serving(answering(reply()), context) as server:
        answer = await make_transport(tls).request("GET", server.url, headers={}, timeout=10)
    return answer.status


async def test_an_unknown_authority_is_refused_with_the_cure(
    make_transport: MakeTransport, authority: trustme.CA
) -> None:
    with pytest.raises(TlsFailed, match=r"certificate verify failed .* --ca-file, or --insecure") as caught:
        await status(make_transport, TlsOptions(), server_context(authority))
    assert not caught.value.sent


async def test_a_system_without_authorities_is_no_obstacle_and_trusts_nobody_more(
    make_transport: MakeTransport, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    async with serving(answering(reply())) as server:
        answer = await make_transport(TlsOptions()).request("GET", server.url, headers={}, timeout=10)
    assert answer.status == 200
    with pytest.raises(TlsFailed, match=r"certificate verify failed .* --ca-file, or --insecure"):
        await status(make_transport, TlsOptions(), server_context(authority))


async def test_an_additional_authority_is_trusted(
    make_transport: MakeTransport, authority: trustme.CA, ca_file: Path
) -> None:
    assert await status(make_transport, TlsOptions((ca_file,)), server_context(authority)) == 200


async def test_a_folder_and_a_bundle_of_authorities_are_trusted(
    make_transport: MakeTransport, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = trustme.CA().cert_pem.bytes() + authority.cert_pem.bytes()
    (tmp_path / "bundle.crt").write_bytes(bundle)
    assert await status(make_transport, TlsOptions((tmp_path,)), server_context(authority)) == 200


async def test_a_certificate_for_another_name_is_refused(
    make_transport: MakeTransport, authority: trustme.CA, ca_file: Path
) -> None:
    with pytest.raises(TlsFailed, match="for another name"):
        await status(make_transport, TlsOptions((ca_file,)), server_context(authority, "other.example"))


async def test_insecure_trusts_whoever_answers(make_transport: MakeTransport, authority: trustme.CA) -> None:
    tls = TlsOptions(insecure=True)
    assert await status(make_transport, tls, server_context(authority, "other.example")) == 200


@pytest.mark.parametrize("joined", [False, True], ids=["two files", "one file"])
async def test_a_client_certificate_is_presented(
    make_transport: MakeTransport, authority: trustme.CA, ca_file: Path, tmp_path: Path, *, joined: bool
) -> None:
    own = authority.issue_cert("runner@example.org")
    chain, key = tmp_path / "own.pem", tmp_path / "own.key"
    key.write_bytes(own.private_key_pem.bytes())
    chain.write_bytes(own.cert_chain_pems[0].bytes() + (own.private_key_pem.bytes() if joined else b""))
    tls = TlsOptions((ca_file,), chain, None if joined else key)
    assert await status(make_transport, tls, demanding_context(authority)) == 200


async def test_a_missing_client_certificate_is_a_transport_error(
    make_transport: MakeTransport, authority: trustme.CA, ca_file: Path
) -> None:
    """In TLS 1.3 a client learns of it after the handshake, as an alert or as a lost connection."""
    with pytest.raises(TransportError) as caught:
        await status(make_transport, TlsOptions((ca_file,)), demanding_context(authority))
    assert isinstance(caught.value, TlsFailed | Interrupted)


async def test_a_server_without_tls_is_named(make_transport: MakeTransport) -> None:
    async def plain(connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(plain) as server:
        with pytest.raises(TlsFailed, match="is it http instead of https"):
            await make_transport().request("GET", f"https://127.0.0.1:{server.port}/", headers={}, timeout=10)


CERTIFICATE = trustme.CA().cert_pem.bytes()


@pytest.mark.parametrize(
    ("files", "options", "complaint"),
    [
        ({}, {"ca_files": "missing.pem"}, "missing.pem: No such file"),
        ({"a.pem": b"junk"}, {"ca_files": "a.pem"}, "a.pem: holds no certificate"),
        ({}, {"ca_files": "."}, "no .pem, .crt or .cer file"),
        ({"a.pem": CERTIFICATE}, {"client_certificate": "a.pem"}, "holds no private key"),
        ({"a.key": b"x"}, {"client_key": "a.key"}, "needs --client-certificate"),
        ({"a.pem": b"junk"}, {"client_certificate": "a.pem"}, "a.pem: holds no certificate"),
    ],
)
def test_unusable_files_are_named_when_the_transport_opens(
    kind: type, tmp_path: Path, files: dict[str, bytes], options: dict[str, str], complaint: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    paths = {name: tmp_path / value for name, value in options.items()}
    authorities = tuple(path for name, path in paths.items() if name == "ca_files")
    with pytest.raises(TlsFailed, match=complaint):
        kind(TlsOptions(authorities, paths.get("client_certificate"), paths.get("client_key")))


def test_a_key_of_another_certificate_is_refused(kind: type, authority: trustme.CA, tmp_path: Path) -> None:
    one, two = authority.issue_cert("a@example.org"), authority.issue_cert("b@example.org")
    chain, key = tmp_path / "own.pem", tmp_path / "own.key"
    chain.write_bytes(one.cert_chain_pems[0].bytes())
    key.write_bytes(two.private_key_pem.bytes())
    with pytest.raises(TlsFailed, match="belong together"):
        kind(TlsOptions((), chain, key))


def test_a_locked_key_is_refused_with_the_cure(kind: type, authority: trustme.CA, tmp_path: Path) -> None:
    own = authority.issue_cert("runner@example.org")
    key = serialization.load_pem_private_key(own.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"invented"),
    )
    file = tmp_path / "own.pem"
    file.write_bytes(own.cert_chain_pems[0].bytes() + locked)
    with pytest.raises(TlsFailed, match="locked by a passphrase"):
        kind(TlsOptions((), file))
