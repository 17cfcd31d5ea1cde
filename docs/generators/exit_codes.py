"""What commands end with, from the errors' own classes and from the commands that have more."""

from __future__ import annotations

import inspect

from delegate_core import errors
from delegate_core.errors import DelegateError
from docs.generators.markdown import joined, table

__all__ = ["page"]

_INTRODUCTION = """\
# Exit codes

<!-- The first table is made from delegate_core/errors.py by docs/generators/exit_codes.py: make reference. -->

What a command ends with. The standard error says why, in one text without a traceback, what to do included."""

_RUN = """\
1 is also what a command answers whose question has the answer no: `submit --wait` and `exec` whose task or pipeline
did not succeed, `lint` with errors, `plugins list` and `plugins check` with something that is broken.

Once a runner has registered, a network or a server that is away does not end it: it waits, with growing pauses. A
runner that leaves at the third signal ends with 8; what it had claimed the next start settles. Before there is a
runner, while settings are read or the state folder is waited for, Ctrl-C ends `run` with 130
and SIGTERM with 143: nothing was claimed."""

_SUCCESS = "Done. Of `run`: it has drained, and everything is delivered."

_OTHERS = """\
## Commands that run something once

| | `delegate task` | `delegate exec` |
|---|---|---|
| 0 | succeeded | every pipeline that ran succeeded |
| 1 | failed | one failed |
| 2 | the file or the settings cannot be used | the same, or a pipeline cannot run here |
| 10 | rejected: no handler, wrong data, a wrong expression | |
| 124 | timed out | timed out |
| 129 | | the terminal has ended (SIGHUP) |
| 130 | cancelled, by Ctrl-C, SIGTERM or SIGHUP | Ctrl-C |
| 141 | | nobody reads the output |
| 143 | | SIGTERM |"""


def page() -> str:
    """The whole page."""
    return joined([_INTRODUCTION, _table(), _RUN, _OTHERS])


def _table() -> str:
    classes = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, DelegateError)]
    rows = [[str(each.exit_code), _meaning(each)] for each in sorted(classes, key=lambda each: each.exit_code)]
    return table(["code", "means"], [["0", _SUCCESS], *rows])


def _meaning(error: type[DelegateError]) -> str:
    if error is DelegateError:
        return "Anything else that a command cannot do, or an unexpected error."
    return " ".join((inspect.getdoc(error) or "").split())
