"""Secrets that are encrypted in a manifest."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from delegate_drone.encrypted import DecryptError, decrypt, encrypt

KEYS = st.sampled_from([16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))


@given(st.text(st.characters(codec="utf-8")), KEYS, st.binary(min_size=12, max_size=12))
def test_what_is_encrypted_can_be_decrypted(value: str, key: bytes, nonce: bytes) -> None:
    assert decrypt(encrypt(value, key, nonce), key) == value


@given(st.integers(0, 27), KEYS)
def test_a_box_with_one_wrong_byte_is_refused(position: int, key: bytes) -> None:
    box = bytearray(base64.b64decode(encrypt("", key)))
    box[position] ^= 1
    with pytest.raises(DecryptError):
        decrypt(base64.b64encode(box).decode(), key)


def test_two_boxes_of_one_secret_differ() -> None:
    assert encrypt("a", b"k" * 32) != encrypt("a", b"k" * 32)


def test_a_content_that_is_not_text_is_refused() -> None:
    box = b"n" * 12 + AESGCM(b"k" * 32).encrypt(b"n" * 12, b"\xff", None)
    with pytest.raises(DecryptError, match="not UTF-8"):
        decrypt(base64.b64encode(box).decode(), b"k" * 32)
