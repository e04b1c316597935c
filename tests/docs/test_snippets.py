"""Every Python snippet and every doctest: the README's, the docs', and the docstrings'.

The snippets of one document run in order and share their names, as a reader would type them.
"""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers import markdown, rest

ROOT = Path(__file__).parents[2]

RST = Sybil([rest.DocTestParser(), rest.PythonCodeBlockParser()])
MARKDOWN = Sybil([markdown.PythonCodeBlockParser()])

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
    document = sybil.parse(path)
    document.namespace["__name__"] = "__main__"
    for example in document:
        example.evaluate()
