"""The account for git in the format that its HTTP library reads from the home folder."""

from __future__ import annotations

from delegate_core.engines.engine import EngineError
from delegate_core.pipeline.spec import Netrc

__all__ = ["netrc_line"]


def netrc_line(netrc: Netrc) -> str:
    """One account, as a line of the file.

    Raises:
        EngineError: no file of this format can hold it.
    """
    words = {"machine": netrc.machine, "login": netrc.login, "password": netrc.password}
    return " ".join(f"{key} {_netrc_word(key, value)}" for key, value in words.items()) + "\n"


def _netrc_word(key: str, value: str) -> str:
    """A word as it is, or in quotes where it would be read as something else.

    Raises:
        EngineError: no file of this format can hold it.
    """
    if any(sign in value for sign in "\0\r\n"):
        raise EngineError(f"the {key} of the account for git holds a line break or zero byte; correct the account")
    if value and not any(sign.isspace() or sign == '"' for sign in value) and not value.startswith("#"):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
