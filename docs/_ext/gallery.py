"""The directive that shows the examples: what each says of itself, and its code.

``.. examples:: restart strategies`` shows ``examples/restart.py`` and ``examples/strategies.py``.
"""

from docutils import nodes
from example_pages import FOLDER, page
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


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
