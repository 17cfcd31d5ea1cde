"""What signs a request to an extension."""

from __future__ import annotations

import base64
import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.external.signature import signed_headers

NAMES = ["accept", "accept-encoding", "content-type", "date", "digest"]


def test_a_request_carries_exactly_the_headers_and_the_signature_of_the_protocol() -> None:
    headers = signed_headers(b'{"repo":{}}', accept="application/json", token="hidden", now=1_700_000_000)
    assert headers == {
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "digest": "SHA-256=" + base64.b64encode(hashlib.sha256(b'{"repo":{}}').digest()).decode(),
        "signature": headers["signature"],
    }
    text = (
        "accept: application/json\naccept-encoding: identity\ncontent-type: application/json\n"
        f"date: Tue, 14 Nov 2023 22:13:20 GMT\ndigest: {headers['digest']}"
    )
    mac = base64.b64encode(hmac.new(b"hidden", text.encode(), hashlib.sha256).digest()).decode()
    assert headers["signature"] == (
        f'keyId="hmac-key",algorithm="hmac-sha256",signature="{mac}",'
        'headers="accept accept-encoding content-type date digest"'
    )


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), st.floats(0, 4e9))
def test_the_signature_is_one_of_the_headers_as_they_are_sent(body: bytes, token: str, now: float) -> None:
    headers = signed_headers(body, accept="application/x", token=token, now=now)
    text = "\n".join(f"{name}: {headers[name]}" for name in NAMES)
    mac = base64.b64encode(hmac.new(token.encode(), text.encode(), "sha256").digest()).decode()
    assert f'signature="{mac}"' in headers["signature"]
    assert all("\n" not in value for value in headers.values())


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_another_body_has_another_signature(one: bytes, other: bytes) -> None:
    signatures = {signed_headers(body, accept="a", token="t", now=0)["signature"] for body in (one, other)}
    assert (len(signatures) == 1) == (one == other)
