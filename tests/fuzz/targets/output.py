"""What a task prints: the mask over it, what a terminal is given of it, and what an executable answers."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote, quote_plus

from delegate_core.console.visible import coloured, uncoloured, visible
from delegate_core.handlers.cgi import BadAnswer, parse_answer
from delegate_core.logs import Mask
from delegate_core.logs.forms import patterns
from delegate_drone.local.printable import coloured_line, plain_line
from tests.fuzz.registry import fields, target, text_of

_STARS = b"******"
_LONG = 8
"""Characters from which on every form of a secret is hidden; shorter ones are not looked for in base64 and hex."""


@target(
    "mask", words=("secret-value", "\n", "\\", "'", '"', "%2F", "c2VjcmV0", "******", "\ud83d"), longest=512, calls=4000
)
def mask(data: bytes) -> None:
    """However a text is cut, the same is hidden, no form of the secret is left, and other encoders' forms are known."""
    cuts, secret, text = fields(data, 3)
    value = text_of(secret)
    hidden = Mask([value])
    whole = hidden.stream()
    once = whole.feed(text) + whole.finish()
    assert _in_pieces(hidden, text, cuts) == once
    if "*" not in value:
        assert not any(pattern in piece for piece in once.split(_STARS) for pattern in patterns(value))
    for form in _encoded(value):
        shown = hidden.text(form)
        assert shown != form, f"{form!r} is shown as it is"


def _in_pieces(hidden: Mask, text: bytes, cuts: bytes) -> bytes:
    stream, shown, place = hidden.stream(), b"", 0
    for length in cuts:
        shown += stream.feed(text[place : place + length])
        place += length
    return shown + stream.feed(text[place:]) + stream.finish()


def _encoded(secret: str) -> Iterator[str]:
    """The secret within other text, as the encoders that people use print it."""
    if len(secret.strip()) < _LONG:
        return
    raw = secret.encode("utf-8", "surrogatepass")
    for before in (b"", b"a", b"ab"):
        yield base64.b64encode(before + raw + b"end").decode()
        yield base64.urlsafe_b64encode(before + raw + b"end").decode()
        yield (before + raw).hex()
    yield quote(raw)
    yield quote_plus(raw)
    yield json.dumps(f"user:{secret}@host")
    yield shlex.quote(f"it's {secret}")
    yield f"x{secret}y"


@target(
    "visible",
    words=("\x1b]52;c;", "\x07", "\x1b[2J", "\x1b[31m", "\x9b", "\u202e", "\r", "\x1bP", "\u2028", "\U000e0041"),
)
def terminal(data: bytes) -> None:
    """No text can do more to a terminal than to be read, and where that is allowed, to be coloured."""
    text = text_of(data)
    assert visible(text).isprintable()
    assert visible(text, 10**6).isprintable()
    assert len(visible(text, 5)) <= 5 * 10
    for line in text.split("\n"):
        assert plain_line(line).isprintable()
    for shown in (coloured(text), coloured(uncoloured(text)), coloured_line(text)):
        assert re.sub(r"\x1b\[[0-9;:]*m|\r?\n|\t", "", shown).isprintable(), shown


@target(
    "cgi",
    words=("Status: 200 OK\n", "Content-Type: application/json\n", "Location: /x\n", "\r\n\r\n", "\n\n", ":", "\x00"),
)
def cgi(data: bytes) -> None:
    """An answer is a response or it is said why not; nothing of it could begin another header line."""
    with suppress(BadAnswer):
        answer = parse_answer(data)
        assert 200 <= answer.status <= 599
        assert data.endswith(answer.body)
        assert not any(set("\r\n\0") & set(name + value) for name, value in answer.headers)
        written = "".join(f"{name}: {value}\n" for name, value in answer.headers).encode()
        again = parse_answer(b"Status: %d %s\n%s\n%s" % (answer.status, answer.reason.encode(), written, answer.body))
        assert again == answer
