"""The Common Gateway Interface (RFC 3875): what an executable is told, and how its answer is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from delegate_core.handlers.exchange import Answer

__all__ = ["HEAD_LIMIT", "BadAnswer", "parse_answer", "request_variables"]

HEAD_LIMIT = 64 * 1024
"""Bytes that the header lines may have together."""

_END = re.compile(rb"(?:\A|\n)\r?\n")
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_STATUS = re.compile(r"([0-9]{3})(?:[ \t]+(.*))?")


class BadAnswer(Exception):
    """What an executable printed is no CGI response. Says what is wrong with it."""


def parse_answer(output: bytes) -> Answer:
    """Read a response: header lines, a blank line, the body. Names are read whatever their case.

    ``Status: 404 Not Found`` is the status, 200 to 599; without it, it is 200, or 302 where there is a ``Location``.
    One of ``Status``, ``Content-Type`` and ``Location`` has to be there: text without header lines is no response.

    Raises:
        BadAnswer: it is none.
    """
    end = _END.search(output, 0, HEAD_LIMIT + 2)
    if end is None:
        raise BadAnswer(_without_end(output))
    head, body = output[: end.start()], output[end.end() :]
    headers = [_header(line) for line in head.split(b"\n")] if head.strip() else []
    return _answer(headers, body)


def _without_end(output: bytes) -> str:
    if not output.strip():
        return "it printed nothing"
    if len(output) > HEAD_LIMIT:
        return f"no blank line ends its header lines within {HEAD_LIMIT // 1024} KiB"
    first = output.split(b"\n", 1)[0].decode("utf-8", "replace")[:80]
    return f"no blank line ends its header lines; it began with {first!r}"


def _header(line: bytes) -> tuple[str, str]:
    match = _LINE.fullmatch(line.removesuffix(b"\r"))
    if match is None:
        raise BadAnswer(f"{line.decode('utf-8', 'replace')[:80]!r} is no header line like 'Content-Type: text/plain'")
    return match[1].decode("ascii"), match[2].decode("utf-8", "replace")


def _answer(headers: list[tuple[str, str]], body: bytes) -> Answer:
    names = [name.lower() for name, _ in headers]
    if names.count("status") > 1:
        raise BadAnswer("it printed two Status lines")
    if not {"status", "content-type", "location"}.intersection(names):
        raise BadAnswer("it printed neither Content-Type nor Status before the blank line")
    status, reason = (302, "") if "location" in names else (200, "")
    if "status" in names:
        status, reason = _read_status(headers[names.index("status")][1])
    return Answer(status, [header for header in headers if header[0].lower() != "status"], body, reason)


def _read_status(text: str) -> tuple[int, str]:
    match = _STATUS.fullmatch(text)
    if match is None or not 200 <= int(match[1]) <= 599:
        raise BadAnswer(
            f"its Status is {text[:40]!r}: three digits from 200 to 599 are needed, and may be followed by a text"
        )
    return int(match[1]), match[2] or ""


def request_variables(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> dict[str, str]:
    """The variables of RFC 3875, 4.1. There is no network in between, so the addresses are this machine's own.

    Headers become ``HTTP_NAME``; ``Proxy`` never does, since ``HTTP_PROXY`` means something else to most programs.
    """
    route, _, query = path.partition("?")
    variables = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "delegate_core",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": method,
        "REQUEST_URI": path,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(route),
        "QUERY_STRING": query,
        "RUN_AS_CGI": "true",  # go-task's own, by which a program knows how it was started
    }
    if body is not None:
        variables |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json"}
    for name, value in headers.items():
        if name.lower() == "content-type":
            variables["CONTENT_TYPE"] = value
        elif name.lower() != "proxy":
            variables["HTTP_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()] = value
    return variables
