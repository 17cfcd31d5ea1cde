"""Whom to trust, and as whom to appear."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from delegate_core.http.errors import TlsFailed

__all__ = ["TlsOptions", "authorities", "identity"]

_SUFFIXES = frozenset({".cer", ".crt", ".pem"})
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY = b"PRIVATE KEY-----"
_LOCKED = (b"ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """Whom to trust, and as whom to appear.

    Attributes:
        ca_files: PEM files of certificate authorities, or folders of them (.pem, .crt, .cer), trusted in
            addition to the system's.
        client_certificate: PEM file of our own certificate and its chain; may hold the key too.
        client_key: PEM file of its private key, without a passphrase.
        insecure: trust whoever answers. For a trial only.
    """

    ca_files: tuple[Path, ...] = ()
    client_certificate: Path | None = None
    client_key: Path | None = None
    insecure: bool = False


def authorities(tls: TlsOptions) -> list[bytes]:
    """The PEM text of each additional authority file.

    Raises:
        TlsFailed: a file cannot be read or holds no certificate; a folder holds none.
    """
    return [_checked_authority(file) for path in tls.ca_files for file in _files(path)]


def identity(tls: TlsOptions) -> bytes | None:
    """The PEM text of our own key and certificates, or None to appear as nobody.

    Raises:
        TlsFailed: a file is missing, unreadable, locked by a passphrase, or a key without certificate.
    """
    if tls.client_certificate is None:
        if tls.client_key is not None:
            raise TlsFailed("--client-key needs --client-certificate: the certificate that belongs to the key")
        return None
    chain = _read(tls.client_certificate)
    key = _read(tls.client_key) if tls.client_key else b""
    _check_identity(tls.client_certificate, chain, key)
    return key + b"\n" + chain


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
    if not found:
        raise TlsFailed(f"--ca-file {path}: no .pem, .crt or .cer file in this folder")
    yield from found


def _checked_authority(file: Path) -> bytes:
    pem = _read(file)
    if _CERTIFICATE not in pem:
        raise TlsFailed(f"--ca-file {file}: holds no certificate; give a PEM file or a folder of them")
    return pem


def _check_identity(file: Path, chain: bytes, key: bytes) -> None:
    if _CERTIFICATE not in chain:
        raise TlsFailed(f"--client-certificate {file}: holds no certificate; give a PEM file")
    if _KEY not in key + chain:
        raise TlsFailed(f"--client-certificate {file}: holds no private key; give it with --client-key")
    if any(mark in key + chain for mark in _LOCKED):
        raise TlsFailed("the client key is locked by a passphrase: give one without (openssl pkey -in KEY -out KEY2)")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsFailed(f"{file}: {error.strerror or error}: give a PEM file that this user may read") from None
