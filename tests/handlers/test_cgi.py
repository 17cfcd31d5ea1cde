"""CGI responses as they are read: go-task's table, as it should be, and every other output without a crash."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delegate_core.handlers.cgi import HEAD_LIMIT, BadAnswer, parse_answer, request_variables

TOKENS = st.text("abcXYZ09-_", min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)
ENDS = st.sampled_from([b"\n", b"\r\n"])


@pytest.mark.parametrize(
    ("output", "status", "body"),
    [
        (b"Content-Type: text/plain\n\nhello", 200, b"hello"),
        (b"Status: 404 Not Found\r\n\r\nno", 404, b"no"),
        (b"status: 404\n\n", 404, b""),
        (b"Location: /there\n\n", 302, b""),
        (b"Location: /there\nStatus: 201 Created\n\n", 201, b""),
        (b"Content-Type:text/plain\n\n\n\nblank lines", 200, b"\n\nblank lines"),
    ],
)
def test_a_response_is_read(output: bytes, status: int, body: bytes) -> None:
    answer = parse_answer(output)
    assert (answer.status, answer.body) == (status, body)
    assert "status" not in [name.lower() for name, _ in answer.headers]


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (b"", "printed nothing"),
        (b"\n \n", "printed nothing|neither"),
        (b"\nbody only", "neither Content-Type nor Status"),
        (b"hello world", "no blank line ends its header lines; it began with 'hello world'"),
        (b"hello\n\nworld", "'hello' is no header line"),
        (b"X-Other: 1\n\nbody", "neither Content-Type nor Status"),
        (b"Status: 20\n\n", "Status is '20'"),
        (b"Status: okay\n\n", "Status is 'okay'"),
        (b"Status: 000\n\n", "Status is '000'"),
        (b"Status: 050\n\n", "Status is '050'"),
        (b"Status: 100 Continue\n\n", "Status is '100 Continue'"),
        (b"Status: 600\n\n", "Status is '600'"),
        (b"Status: 2000\n\n", "Status is '2000'"),
        (b"Status: 200\nStatus: 404\n\n", "two Status lines"),
        (b"Content-Type: a\n folded: b\n\n", "is no header line"),
        (b"Content-Type: a\0b\n\n", "is no header line"),
        (b"X: " + b"a" * HEAD_LIMIT + b"\n\n", "no blank line ends its header lines within 64 KiB"),
    ],
)
def test_what_is_no_response_is_named(output: bytes, complaint: str) -> None:
    with pytest.raises(BadAnswer, match=complaint):
        parse_answer(output)


@settings(deadline=None)
@given(st.integers(200, 599), st.lists(st.tuples(TOKENS.filter(str.isalpha), TEXTS)), ENDS, st.binary(max_size=200))
def test_what_was_written_is_read_back(status: int, headers: list[tuple[str, str]], end: bytes, body: bytes) -> None:
    headers = [(f"X-{name}", value) for name, value in headers]
    lines = [f"Status: {status}".encode(), *(f"{name}: {value}".encode() for name, value in headers)]
    answer = parse_answer(end.join([*lines, b"", b""]) + body)
    assert (answer.status, list(answer.headers), answer.body) == (status, headers, body)


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text("SsTtAaUu:ocne-yp 0259\r\n", max_size=60).map(str.encode))
def test_any_output_is_a_response_or_a_complaint_and_never_a_crash(output: bytes) -> None:
    try:
        answer = parse_answer(output)
    except BadAnswer:
        pass
    else:
        assert 200 <= answer.status <= 599
        assert output.endswith(answer.body)


def test_a_request_is_told_as_the_standard_says() -> None:
    variables = request_variables(
        "PUT", "/a%20b?x=1&y", {"X-Mode": "fast", "Content-Type": "text/x", "Proxy": "p"}, b"abc"
    )
    expected = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "x=1&y",
        "CONTENT_LENGTH": "3",
        "CONTENT_TYPE": "text/x",
        "HTTP_X_MODE": "fast",
        "GATEWAY_INTERFACE": "CGI/1.1",
    }
    assert expected.items() <= variables.items()
    assert "HTTP_PROXY" not in variables
    assert not {"CONTENT_LENGTH", "CONTENT_TYPE"} & request_variables("GET", "/", {}, None).keys()
