"""What Drone encrypts: AES in GCM, the 12 bytes of the nonce before the ciphertext and its tag.

Secrets within a manifest are such boxes as base64, locked with the repository's key; an extension may lock its answer
with its token.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["DecryptError", "decrypt", "encrypt", "unlock"]

_NONCE = 12


class DecryptError(Exception):
    """It cannot be decrypted. The text says why, and holds neither the key nor anything of the content."""


def encrypt(value: str, key: bytes, nonce: bytes | None = None) -> str:
    """The ``data`` of a ``kind: secret`` document.

    Args:
        value: the secret.
        key: the repository's, 16, 24 or 32 bytes.
        nonce: 12 bytes that are used only once with this key; made if not given.
    """
    nonce = nonce or secrets.token_bytes(_NONCE)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, value.encode(), None)).decode()


def decrypt(data: str, key: bytes) -> str:
    """The secret behind the ``data`` of a ``kind: secret`` document; line breaks within the base64 do not matter.

    Raises:
        DecryptError: another key, damaged data, or a content that is not text.
    """
    try:
        box = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise DecryptError("its data is not base64") from None
    try:
        return unlock(box, key).decode()
    except UnicodeDecodeError:
        raise DecryptError("its content is not UTF-8 text") from None


def unlock(box: bytes, key: bytes) -> bytes:
    """The content of a box.

    Raises:
        DecryptError: another key, or damaged data.
    """
    if len(key) not in {16, 24, 32}:
        raise DecryptError(f"the key has {len(key)} bytes instead of 16, 24 or 32")
    if len(box) < _NONCE + 16:
        raise DecryptError("its data is too short")
    try:
        return AESGCM(key).decrypt(box[:_NONCE], box[_NONCE:], None)
    except InvalidTag:
        raise DecryptError("it was encrypted with another key, or is damaged") from None
