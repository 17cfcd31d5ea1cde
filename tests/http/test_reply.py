"""What a reply says of itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegate_core.http import BadReply, Reply, TlsOptions, open_transport
from delegate_core.http.httpx_transport import HttpxTransport
from delegate_core.http.reqwest import ReqwestTransport


def complaint(body: bytes, kind: str = "application/json") -> str:
    url = "https://user:word@manager.example/api?token=invented"
    with pytest.raises(BadReply) as caught:
        Reply(502, {"content-type": kind}, body, "POST", url).json()
    return str(caught.value)


def test_html_is_suspected_to_be_a_proxys() -> None:
    assert complaint(b"<html>\n <h1>Sign\x1b[1m in</h1>", "text/html") == (
        "POST https://manager.example/api: status 502 with text/html: answered HTML "
        "(a proxy's or a login page? is the address right?): <html> <h1>Sign [1m in</h1>"
    )


def test_json_that_is_nested_without_measure_is_a_bad_reply() -> None:
    assert "something that is not JSON: [[[[" in complaint(b"[" * 200_000)


def test_a_content_type_cannot_steer_the_terminal() -> None:
    assert "with te xt/html 2J: answered" in complaint(b"x", "te\x85xt/html\x9b2J")


def test_an_empty_body_is_called_nothing() -> None:
    assert complaint(b" ").endswith("answered nothing where JSON was expected")


def test_a_bad_reply_was_sent() -> None:
    with pytest.raises(BadReply) as caught:
        Reply(200, {}, b"{").json()
    assert caught.value.sent


@pytest.mark.parametrize(
    "body",
    [
        b'{"token": "s3cr3t-value"',
        b"account_secret=s3cr3t-value",
        b"Authorization: Bearer s3cr3t-value",
        b"apikey: s3cr3t-value, x",
        b"see s3cr3t-value-0123456789abcdef0123456789",
    ],
)
def test_secrets_in_an_unusable_body_are_masked(body: bytes) -> None:
    assert "s3cr3t" not in complaint(body)
    assert "***" in complaint(body)


@given(st.binary(max_size=6000).map(lambda data: b"}" + data))
def test_a_complaint_is_one_short_printable_line(body: bytes) -> None:
    text = complaint(body)
    assert len(text) < 500
    assert all(character >= " " and character not in "\x7f\u2028\u2029" for character in text)


def test_a_repr_shows_neither_headers_nor_body() -> None:
    assert repr(Reply(200, {"x-token": "invented"}, b"invented", "GET", "/")) == "Reply(200, 8 bytes)"


@pytest.mark.anyio
async def test_a_transport_is_opened_by_its_kind() -> None:
    assert isinstance(open_transport(TlsOptions(), kind="httpx"), HttpxTransport)
    assert isinstance(open_transport(TlsOptions(), kind="reqwest"), ReqwestTransport)
    assert isinstance(open_transport(TlsOptions()), ReqwestTransport)
