"""The directive that shows the examples: what each says of itself, and its code.

``.. examples:: restart strategies`` shows ``examples/restart.py`` and ``examples/strategies.py``.
"""

import ast
import textwrap
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

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


class Examples(SphinxDirective):
    """``.. examples:: NAME...``"""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for name in self.arguments[0].split():
            path = FOLDER / f"{name}.py"
            self.env.note_dependency(str(path))
            text = page(name, path.read_text())
            found += self.parse_text_to_nodes(text, allow_section_headings=True)
        return found


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("examples", Examples)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
