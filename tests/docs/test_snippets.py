"""Every Python snippet and every doctest: the README's, the docs', and the docstrings'.

The snippets of one document run in order and share their names, as a reader would type them. An
``output`` block is what they have put on the terminal since the one before, stdout and stderr; in
it, ``...`` stands for anything. Nothing may be printed that is not shown.
"""

import doctest
import logging
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers import markdown, rest

ROOT = Path(__file__).parents[2]


class Terminal:
    """What a document's snippets print."""

    def __init__(self) -> None:
        self._text = ""
        self._out, self._err = StringIO(), StringIO()
        self._out.write = self._print  # type: ignore[method-assign]
        self._err.write = self._log  # type: ignore[method-assign]
        self.printed = False

    def _print(self, text: str) -> int:
        self.printed = True
        return self._log(text)

    def _log(self, text: str) -> int:
        self._text += text
        return len(text)

    @contextmanager
    def attached(self) -> Generator[None]:
        with redirect_stdout(self._out), redirect_stderr(self._err):
            yield

    def take(self) -> str:
        text, self._text, self.printed = self._text, "", False
        return text


def compare(example: Example) -> str | None:
    shown, printed = example.parsed, example.namespace["_terminal"].take()
    same = doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS)
    return None if same else f"shown:\n{shown}\nprinted:\n{printed}"


@contextmanager
def fresh_logging() -> Generator[None]:
    """Logging as in a fresh interpreter, which it is not while pytest listens."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def run(document: Document) -> None:
    terminal = document.namespace["_terminal"] = Terminal()
    document.namespace["__name__"] = "__main__"
    for example in document:
        with terminal.attached():
            example.evaluate()
    assert not terminal.printed, f"printed and not shown:\n{terminal.take()}"


RST = Sybil(
    [
        rest.DocTestParser(doctest.ELLIPSIS),
        rest.PythonCodeBlockParser(),
        rest.CodeBlockParser("output", compare),
    ]
)
MARKDOWN = Sybil(
    [markdown.PythonCodeBlockParser(), markdown.CodeBlockParser("output", compare)],
)

DOCUMENTS = {
    str(path.relative_to(ROOT)): (sybil, path)
    for sybil, paths in [
        (MARKDOWN, ROOT.glob("*.md")),
        (RST, ROOT.glob("docs/**/*.rst")),
        (RST, ROOT.glob("trido/**/*.py")),
    ]
    for path in sorted(paths)
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_snippets_run(name: str) -> None:
    sybil, path = DOCUMENTS[name]
    with fresh_logging():
        run(sybil.parse(path))
