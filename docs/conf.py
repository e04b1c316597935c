"""How the documentation is built."""

import builtins
import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import get_origin

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import GoogleDocstring

import trido

project = "trido"
author = "The trido authors"
project_copyright = author
version = release = version_of("trido")

sys.path.append(str(Path(__file__).parent / "_ext"))
extensions = [
    "sphinx.ext.autodoc",
    "sphinxcontrib_trio",
    "from_tables",
    "gallery",
]
html_theme = "furo"
html_title = f"trido {version}"
html_static_path = ["_static"]
html_css_files = ["output.css"]

# `Name` in a docstring is a link to Name.
default_role = "py:obj"

# sphinxcontrib-trio, which writes `await f()` and `async with g()`, knows only these classes.
autodoc_use_legacy_class_based = True
autodoc_default_options = {
    "members": True,
    "inherited-members": "BaseException",  # all but those of exceptions
    "show-inheritance": True,
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

# A build needs no network, so links to other projects are made only when asked for.
if os.environ.get("DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "trio": ("https://trio.readthedocs.io/en/stable", None),
    }
# Every link to something public must find it, and so must every `Name` in prose. Not to be found
# are: what is not trido's, and what is trido's own affair but stands in an annotation.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:(?!obj).*", r"(?!trido\.).*"),
    (r"py:obj", r"None|(attrs|collections|contextlib|logging|trio|typing)\..*"),
    (r"py:.*", r"trido\.(?!events\.)[a-z_]+\..*"),
]


PUBLIC = set(trido.__all__)


def leave_builtins_alone(app: Sphinx, doctree: nodes.document) -> None:
    """``type`` in an annotation is Python's, and no attribute of that name."""
    for node in doctree.findall(pending_xref):
        if node.get("reftarget") in vars(builtins):
            node.attributes.pop("refspecific", None)


def link_to_the_facade(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.Element | None:
    """Resolve ``ChildSpec``, from any page, and ``trido.supervision.spec.ChildSpec``, as in types.

    Both mean ``trido.ChildSpec``, the only one that is documented.
    """
    parts = node.get("reftarget", "").split(".")
    public = [part in PUBLIC for part in parts]
    if not any(public) or (parts[0] != "trido" and not public[0]):
        return None
    target = ".".join(["trido", *parts[public.index(True) :]])
    return env.domains.python_domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", target, node, contnode
    )


def read_sections(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Make fields of "Raises:" and its like.

    By hand, because as an extension napoleon takes what stands before a colon in the docstring of
    a field for the field's type.
    """
    if what not in {"attribute", "data"}:
        kind = "method" if what == "property" else what
        lines[:] = GoogleDocstring(lines, what=kind, name=name, obj=thing, options=options).lines()


def nearest_public(base: type) -> type:
    """The first of ``base`` and its own bases that readers can look up."""
    base = get_origin(base) or base
    if not base.__module__.startswith("trido.") or base.__name__ in {
        *PUBLIC,
        *trido.events.__all__,
    }:
        return base
    return nearest_public(base.__base__)


def leave_out_private_bases(
    app: Sphinx, name: str, thing: object, options: object, bases: list[type]
) -> None:
    """Show the nearest public bases."""
    bases[:] = map(nearest_public, bases)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", read_sections)
    app.connect("autodoc-process-bases", leave_out_private_bases)
    app.connect("doctree-read", leave_builtins_alone)
    app.connect("missing-reference", link_to_the_facade)
