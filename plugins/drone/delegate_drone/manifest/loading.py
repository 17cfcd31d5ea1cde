"""The way in: from a file's text to its documents and everything that is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass

from delegate_drone.manifest.between import lint_names
from delegate_drone.manifest.documents import DocumentText, parse_document, split_documents
from delegate_drone.manifest.eaten import lint_variables
from delegate_drone.manifest.kinds import interpret
from delegate_drone.manifest.lint import lint_pipeline
from delegate_drone.manifest.models import Content, Foreign, Pipeline
from delegate_drone.manifest.nodes import Mapping, Mark, Node, Scalar
from delegate_drone.manifest.problems import Problem, Report, Severity, Source
from delegate_drone.manifest.trust import lint_trust
from delegate_drone.manifest.variables import check_variables, substitute_variables

__all__ = ["Document", "Manifest", "load_manifest"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the file.

    Attributes:
        line: the line on which it begins, from 1.
        name: its name, as far as it can be told, even if the document is broken.
        content: what it says; None if it could not be read at all.
        problems: what is wrong with it, in the order of the file.
    """

    line: int
    name: str
    content: Content | None
    problems: tuple[Problem, ...]

    @property
    def sound(self) -> bool:
        """Whether it can be used: it says something and has no error."""
        return self.content is not None and not any(problem.severity is Severity.ERROR for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file: its documents, and every problem in it in the order of the file."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The pipelines of type exec and docker that have no error. One broken document fails only itself."""
        contents = (document.content for document in self.documents if document.sound)
        return tuple(content for content in contents if isinstance(content, Pipeline))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep a document from running."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


@dataclass(slots=True)
class _Draft:
    text: DocumentText
    report: Report
    node: Node | None = None
    content: Content | None = None

    @property
    def name(self) -> str:
        node = self.node.get("name") if isinstance(self.node, Mapping) else None
        return node.text if isinstance(node, Scalar) else ""

    def finish(self) -> Document:
        problems = tuple(sorted(self.report.problems, key=_place))
        return Document(self.text.line, self.name, self.content, problems)


def load_manifest(
    text: str,
    *,
    file: str = ".drone.yml",
    strict: bool = False,
    variables: AbstractMapping[str, str] | None = None,
    trusted: bool = True,
    at: int | None = None,
) -> Manifest:
    """Read a manifest. Never raises for what is in the text: that becomes problems.

    Args:
        text: the whole file. Bytes of it that were not UTF-8, as ``surrogateescape`` leaves them, are an error.
        file: its name, for the problems.
        strict: unknown keys are errors instead of warnings.
        variables: the build's variables, to put in for ``${NAME}``; without them, expressions stay and are only
            checked. See `delegate_drone.manifest.substitution` for what differs from putting them into the text.
        trusted: the repository is; otherwise what only trusted ones may ask for is an error.
        at: a line, to read only the document that it is in: the others are left out, and what lies between documents
            is not checked.
    """
    text = text.removeprefix("\ufeff")
    report = Report(Source(file, _SURROGATE.sub("\ufffd", text)), strict)
    texts = list(split_documents(text, report))
    if at is not None:
        texts = [document for document in texts if document.line <= at][-1:]
    drafts = [_decoded(document, report.child()) for document in texts]
    for draft in drafts:
        _read(draft, variables, trusted=trusted)
    if at is None:
        _lint_together(drafts)
    documents = tuple(draft.finish() for draft in drafts)
    problems = [*report.problems, *(problem for document in documents for problem in document.problems)]
    return Manifest(documents, tuple(sorted(problems, key=_place)))


def _decoded(document: DocumentText, report: Report) -> _Draft:
    """A document without surrogates; the first byte that was not UTF-8 is an error of this document."""
    if found := _ESCAPED_BYTE.search(document.text):
        lines = Source("", document.text[: found.start()]).lines
        mark = Mark(document.line + len(lines) - 1, len(lines[-1]) + 1)
        message = f"the byte 0x{ord(found.group()) - 0xDC00:02X} is not UTF-8"
        report.error("encoding", mark, message, "save the file as UTF-8")
    return _Draft(DocumentText(_SURROGATE.sub("\ufffd", document.text), document.line), report)


def _read(draft: _Draft, variables: AbstractMapping[str, str] | None, *, trusted: bool) -> None:
    report = draft.report
    written = draft.node = parse_document(draft.text, report)
    if written is None:
        return
    if variables is None:
        check_variables(written, report)
    else:
        draft.node = substitute_variables(written, variables, report)
    draft.content = interpret(draft.node or written, report)
    if isinstance(draft.content, Pipeline):
        lint_pipeline(draft.content, report)
        lint_variables(draft.content, frozenset(variables or ()), report)
        if not trusted:
            lint_trust(draft.content, report)


def _lint_together(drafts: list[_Draft]) -> None:
    contents = [(draft.content, draft.report) for draft in drafts]
    pipelines = [
        (content, report)
        for content, report in contents
        if isinstance(content, Pipeline | Foreign) and content.kind == "pipeline"
    ]
    lint_names(pipelines, frozenset(draft.name for draft in drafts if draft.content is None))


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column
