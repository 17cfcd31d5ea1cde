"""Explains what the YAML parser refuses: the place, and a guess at what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from delegate_drone.manifest.nodes import Mark
from delegate_drone.manifest.problems import Report, Source

__all__ = ["explain"]

_LOOKALIKES = {"\uff1a": ":", "\u00a0": "space", "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'"}
_KEY_LINE = re.compile(r"(?P<indent> *)(?P<dashes>(?:- +)*)(?P<key>[\w.-]+)\s*:(?:\s|$)")
_BARE_WORD = re.compile(r" *(?P<word>[A-Za-z_]\w*)\s*$")
_KEY_WITHOUT_SPACE = re.compile(r" *(?:- +)*(?P<key>[A-Za-z_]\w*):[^\s/:]")


@dataclass(frozen=True, slots=True)
class _Trouble:
    """A syntax error: what the parser says and where, with the lines around."""

    says: str
    mark: Mark
    context: Mark | None
    first_line: int
    source: Source

    @property
    def line(self) -> str:
        return self.source.line(self.mark.line)

    @property
    def before(self) -> tuple[int, str]:
        """The last line above that says something, with its number."""
        for number in range(self.mark.line - 1, self.first_line - 1, -1):
            text = self.source.line(number)
            if text.strip() and not text.lstrip().startswith("#"):
                return number, text
        return self.mark.line, ""


def explain(error: yaml.YAMLError, text: str, first_line: int, report: Report) -> None:
    """Report a syntax error of the document that begins on that line, with a cure as good as can be guessed."""
    mark, context = _place(error, text, first_line)
    trouble = _Trouble(_wording(error), mark, context, first_line, report.source)
    cure = next((guess for rule in _GUESSES if (guess := rule(trouble))), "")
    where = context if context and "quoted scalar" in trouble.says else mark
    report.error("syntax", where, f"not YAML: {trouble.says}", cure)


def _place(error: yaml.YAMLError, text: str, first_line: int) -> tuple[Mark, Mark | None]:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        context = error.context_mark
        before = Mark(context.line + first_line, context.column + 1) if context is not None else None
        return Mark(error.problem_mark.line + first_line, error.problem_mark.column + 1), before
    position = getattr(error, "position", 0)
    lines = Source("", text[:position]).lines
    return Mark(first_line + len(lines) - 1, len(lines[-1]) + 1), None


def _wording(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        return " ".join(part for part in (error.context, error.problem) if part)
    return str(getattr(error, "reason", "")) or "it cannot be read"


def _merge_conflict(trouble: _Trouble) -> str:
    for number in range(trouble.first_line, trouble.mark.line + 1):
        if trouble.source.line(number).startswith(("<<<<<<<", "=======", ">>>>>>>")):
            return f"line {number} is a marker of an unfinished git merge: resolve the conflict"
    return ""


def _tab(trouble: _Trouble) -> str:
    indent = trouble.line[: len(trouble.line) - len(trouble.line.lstrip())]
    return "the line is indented with a tab: YAML wants spaces" if "\t" in indent else ""


def _template(trouble: _Trouble) -> str:
    for number, line in ((trouble.mark.line, trouble.line), trouble.before):
        if "${{" in line:
            return f"line {number} has the ${{{{ }}}} of another system: Drone knows ${{NAME}} and from_secret"
        if re.match(r"\s*\{\{", line):
            return f"line {number} is a template that nobody has filled in: Drone does not expand {{{{ }}}}"
        if re.search(r":\s+\{\{", line):
            return f"quote the value on line {number}: outside quotes {{ begins a map"
    return ""


def _lookalike(trouble: _Trouble) -> str:
    for number in range(trouble.mark.line, max(trouble.mark.line - 4, trouble.first_line - 1), -1):
        line = trouble.source.line(number)
        for found, meant in _LOOKALIKES.items():
            if found in line:
                column = line.index(found) + 1
                return f"line {number}, column {column} has U+{ord(found):04X}, which only looks like {meant}"
    return ""


def _unclosed_quote(trouble: _Trouble) -> str:
    if "quoted scalar" in trouble.says and "end of stream" in trouble.says and trouble.context:
        return f"the quote on line {trouble.context.line} is never closed"
    if "character escape code" in trouble.says:
        return r"write the character itself, or all of it as \U and eight digits: YAML knows no pairs as JSON has them"
    if "escape character" in trouble.says:
        return r"in double quotes a backslash begins an escape: use single quotes, or write \\"
    return ""


def _needs_quotes(trouble: _Trouble) -> str:
    if "scanning an alias" in trouble.says:
        return "quote a text that begins with *: outside quotes it refers to an anchor"
    if re.match(r" *- +\[\[? .*[^\],]\s*$", trouble.line):
        return "quote the command: a text that begins with [ is taken for a list"
    if "scanning an anchor" in trouble.says:
        return "quote a text that begins with &: outside quotes it names an anchor"
    if "cannot start any token" in trouble.says:
        return f"quote a text that begins with {trouble.line[trouble.mark.column - 1 : trouble.mark.column] or 'this'}"
    return ""


def _flow_list(trouble: _Trouble) -> str:
    if "flow sequence" in trouble.says and trouble.context:
        return f"the list [ ] that begins on line {trouble.context.line} lacks a comma or its closing bracket"
    if "flow mapping" in trouble.says and trouble.context:
        return f"the map {{ }} that begins on line {trouble.context.line} lacks a comma or its closing brace"
    return ""


def _text_after_quotes(trouble: _Trouble) -> str:
    if "expected key" in trouble.says and re.search(r"[:-] +([\"']).*?\1\s+\S", trouble.line):
        return "a text follows the closing quote: put the quotes around the whole value"
    return ""


def _missing_colon(trouble: _Trouble) -> str:
    for number, line in ((trouble.mark.line, trouble.line), trouble.before):
        if found := _BARE_WORD.match(line):
            return f"line {number}: is a colon missing? write `{found['word']}:`"
        if found := _KEY_WITHOUT_SPACE.match(line):
            return f"line {number}: is a space missing? write `{found['key']}: ` with a space after the colon"
    return ""


def _indentation(trouble: _Trouble) -> str:
    """The commonest mistake there is: a key that stands in the column of no key above it."""
    here = len(trouble.line) - len(trouble.line.lstrip())
    if not trouble.line.strip() or trouble.mark.column - 1 < here:
        return ""
    columns = _columns_above(trouble)
    word = trouble.line.split()[0]
    if not columns or (here in columns and not word.startswith("-")):
        return ""
    number, column = min(columns.items(), key=lambda place: (abs(place[0] - here), place[1]))[::-1]
    if column == here:
        return f"is the indentation wrong? `{word}` cannot stand in column {here + 1} after line {number}"
    like = trouble.source.line(number).strip()[:30]
    place = f"with {column} it would stand beside `{like}` on line {number}"
    return f"is the indentation wrong? This line has {here} spaces; {place}"


def _columns_above(trouble: _Trouble) -> dict[int, int]:
    """The columns in which keys stand that are still open at the place, each with the nearest such line."""
    columns: dict[int, int] = {}
    lowest: int | None = None
    for number in range(trouble.mark.line - 1, trouble.first_line - 1, -1):
        found = _KEY_LINE.match(trouble.source.line(number))
        if found and (lowest is None or len(found["indent"]) <= lowest):
            lowest = len(found["indent"])
            columns.setdefault(lowest + len(found["dashes"]), number)
            columns.setdefault(lowest, number)
    return columns


def _below_a_value(trouble: _Trouble) -> str:
    number, above = trouble.before
    deeper = len(trouble.line) - len(trouble.line.lstrip()) > len(above) - len(above.lstrip())
    if deeper and re.match(r" *[\w.-]+:\s+[^\s#|>&]", above) and _KEY_LINE.match(trouble.line):
        return f"line {number} already has a value: is this line indented too far?"
    return ""


def _colon_in_text(trouble: _Trouble) -> str:
    if "mapping values are not allowed" in trouble.says:
        return "quote a value that contains a colon followed by a space, or ends in a colon"
    return ""


_GUESSES: tuple[Callable[[_Trouble], str], ...] = (
    _merge_conflict,
    _tab,
    _unclosed_quote,
    _template,
    _lookalike,
    _needs_quotes,
    _flow_list,
    _text_after_quotes,
    _missing_colon,
    _below_a_value,
    _indentation,
    _colon_in_text,
)
"""From the surest sign to the vaguest; the first that says something is the cure shown."""
