"""Directives that show tables of the code as they are when the documentation is built."""

import directive_life
import drawings
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from trido.journal.rules import MOVES
from trido.supervision.tables import ENDS, LIFECYCLE, REFUSALS


class Lifecycle(SphinxDirective):
    """``.. lifecycle::``: a picture, and the same as a table."""

    def run(self) -> list[nodes.Node]:
        picture = nodes.raw("", drawings.lifecycle_svg(LIFECYCLE), format="html")
        return [picture, *self.parse_text_to_nodes(drawings.lifecycle_table(LIFECYCLE))]


class Ends(SphinxDirective):
    """``.. ends::``"""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(drawings.ends_table(ENDS))


class Refusals(SphinxDirective):
    """``.. refusals::``"""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(drawings.refusals_table(REFUSALS, LIFECYCLE))


class DirectiveLife(SphinxDirective):
    """``.. directive-life::``"""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", directive_life.svg(MOVES), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("lifecycle", Lifecycle)
    app.add_directive("ends", Ends)
    app.add_directive("refusals", Refusals)
    app.add_directive("directive-life", DirectiveLife)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
