"""Trees as text."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import Factory, define

from trido.values import Shown


@define(eq=False, repr=False)
class Node(Shown):
    """One line, and those below it."""

    text: str
    children: list[Node] = Factory(list)


def tree(node: Node) -> str:
    """Draw ``node`` and all below it, a line each."""
    return "\n".join([node.text, *_lines(node, "")])


def _lines(node: Node, indent: str) -> Iterator[str]:
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        yield f"{indent}{'└── ' if last else '├── '}{child.text}"
        yield from _lines(child, indent + ("    " if last else "│   "))
