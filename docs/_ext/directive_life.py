"""What may become of a committed directive, drawn from the table that a journal goes by.

Knows nothing of Sphinx. A status that has no spot on the map below is a KeyError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

Moves = Mapping[Any, AbstractSet[Any]]

# Where each status stands, in columns and rows.
MAP = {
    "pending": (0, 1),
    "started": (1, 2),
    "done": (2, 0),
    "failed": (2, 1),
    "dead": (2, 2),
    "unknown": (2, 3),
}
COLUMN, ROW = 260, 64
LEFT, TOP = 70, 40
WIDTH, HEIGHT = 96, 32
TIP = """
    <defs><marker id="move" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"
    orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker></defs>
""".strip()
STYLE = """
    role="img" aria-label="What may become of a committed directive"
    style="width: 100%; max-width: 44em; font: 13px sans-serif; color: inherit"
""".strip()


def moves(table: Moves) -> Iterator[tuple[str, str]]:
    """Each move, but for those that change nothing but a count."""
    for source, targets in table.items():
        for target in sorted(targets, key=list(MAP).index):
            if target != source:
                yield source, target


def svg(table: Moves) -> str:
    """The moves, as a picture."""
    statuses = dict.fromkeys([*table, *(target for _, target in moves(table))])
    width, height = LEFT * 2 + COLUMN * 2, TOP * 2 + ROW * 3
    return "\n".join(
        [
            f'<svg class="moves" viewBox="0 0 {width} {height}" {STYLE}>',
            TIP,
            *(_arrow(source, target) for source, target in moves(table)),
            *(_box(status) for status in statuses),
            "</svg>",
        ]
    )


def _spot(status: str) -> tuple[int, int]:
    column, row = MAP[status]
    return LEFT + COLUMN * column, TOP + ROW * row


def _arrow(source: str, target: str) -> str:
    (x1, y1), (x2, y2) = _spot(source), _spot(target)
    return (
        f'<path data-from="{source}" data-to="{target}" fill="none" stroke="currentColor"'
        f' d="M{x1 + WIDTH / 2:g},{y1} L{x2 - WIDTH / 2:g},{y2}" marker-end="url(#move)"/>'
    )


def _box(status: str) -> str:
    x, y = _spot(status)
    return (
        f'<g data-state="{status}"><rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}"'
        f' width="{WIDTH}" height="{HEIGHT}" rx="8" stroke="currentColor"'
        f' fill="var(--color-background-primary, white)"/>'
        f'<text x="{x}" y="{y + 4}" text-anchor="middle" fill="currentColor">{status}</text></g>'
    )
