"""What is to be said of a server's certificate."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from delegate_core.diagnosis.finding import Finding
from delegate_core.diagnosis.place import Place

__all__ = ["distrusted", "trusted"]

_SOON: Final = 14 * 86400
"""Seconds before its end from which on a certificate is worth a warning."""

_UNREACHABLE: Final = 5
"""The exit code of a runner that cannot register."""


def trusted(version: str, certificate: Mapping[str, Any], clock: Callable[[], float] = time.time) -> Finding:
    """Of one that is trusted, as `ssl.SSLSocket.getpeercert` has it, with TLS of this version."""
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    seen = f"{version}, certificate of {_issuer(certificate)} valid until {_day(ends)}"
    if ends - clock() < _SOON:
        return Finding.warning(seen, "have the server's certificate renewed")
    return Finding.ok(seen)


def distrusted(place: Place, error: ssl.SSLCertVerificationError, clock: Callable[[], float] = time.time) -> Finding:
    """Of one that is not trusted."""
    now = f"by this machine's clock ({_day(clock())})"
    match (
        error.verify_code
    ):  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, _NOT_YET_VALID, _HOSTNAME_ and _IP_ADDRESS_MISMATCH
        case 10:
            seen = f"the certificate of {place} has expired, {now}"
            cure = "have the server's certificate renewed, or set this machine's clock"
        case 9:
            seen, cure = f"the certificate of {place} is not valid yet, {now}", "set this machine's clock"
        case 62 | 64:
            seen = f"the certificate of {place} is for another name: {error.verify_message}"
            cure = "correct the address: write the name that the certificate has"
        case _:
            seen = f"the certificate of {place} is not trusted here: {error.verify_message}"
            cure = "give the CA that has signed it with --ca-file"
    return Finding.problem(seen, cure, code=_UNREACHABLE)


def _issuer(certificate: Mapping[str, Any]) -> str:
    names = {key: value for parts in certificate.get("issuer", ()) for key, value in parts}
    return str(names.get("organizationName") or names.get("commonName") or "an unnamed issuer")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
