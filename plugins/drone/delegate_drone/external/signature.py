"""How a request to an extension is signed: an HMAC over five headers, one of them the digest of the body."""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import formatdate

__all__ = ["signed_headers"]

_SIGNED = ("accept", "accept-encoding", "content-type", "date", "digest")


def signed_headers(body: bytes, *, accept: str, token: str, now: float) -> dict[str, str]:
    """The headers of a request that Drone's extensions accept, signed with the token that both sides know.

    Drone's extensions verify draft-cavage HTTP signatures: the lines ``name: value`` of the five headers in this order,
    without the request's target, under HMAC-SHA256. Nothing but the date speaks against a replay, so an
    extension should be reached over HTTPS.

    Args:
        body: as it is sent.
        accept: the media type of the answer.
        token: shared with the extension.
        now: unix seconds.
    """
    values = {
        "accept": accept,
        "accept-encoding": "identity",
        "content-type": "application/json",
        "date": formatdate(now, usegmt=True),
        "digest": "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }
    signing_string = "\n".join(f"{name}: {values[name]}" for name in _SIGNED)
    mac = hmac.digest(token.encode(), signing_string.encode(), "sha256")
    return {**values, "signature": _header(base64.b64encode(mac).decode())}


def _header(signature: str) -> str:
    names = " ".join(_SIGNED)
    return f'keyId="hmac-key",algorithm="hmac-sha256",signature="{signature}",headers="{names}"'
