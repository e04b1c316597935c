"""What the gallery shows of an example. Knows nothing of Sphinx."""

import ast
import textwrap
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples"


def page(name: str, source: str) -> str:
    """An example as reStructuredText: its docstring, under its file's name, then its code."""
    docstring = ast.get_docstring(ast.parse(source)) or ""
    heading = f"``{name}.py``"
    return "\n".join(
        [
            heading,
            "~" * len(heading),
            "",
            docstring,
            "",
            ".. raw:: html",
            "",
            "   <details><summary>The code</summary>",
            "",
            ".. code-block:: python",
            "",
            textwrap.indent(_code(source), "   "),
            "",
            ".. raw:: html",
            "",
            "   </details>",
        ]
    )


def _code(source: str) -> str:
    """What follows the docstring."""
    first = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[first.end_lineno :]).strip()
