"""What the documentation shows of `trido.supervision.tables`: drawn from the tables themselves.

Knows nothing of Sphinx. A state that has no spot on the map below is a KeyError, and a transition
that does not hold for the whole frame is drawn by itself, so nothing in the table goes undrawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from attrs import frozen

Table = Mapping[Any, Mapping[Any, Any]]

FRAME = "any state in the frame"

# Where each state stands, in columns and rows.
MAP = {
    "stopped": (0, 0),
    "removed": (0, 2),
    "starting": (1, 0),
    "running": (2, 0),
    "parked": (1, 1),
    "restarting": (2, 1),
    "stopping": (3, 0),
    "zombie": (3, 2),
}
FRAMED = [state for state in MAP if state not in {"stopped", "removed"}]

# How far some lines are bent to their left, to go round what stands between.
BENDS = {("starting", "stopping"): 84, ("starting", "zombie"): -140}

WIDTH, HEIGHT = 108, 38
STYLE = """
    role="img" aria-label="The states of a place, and what moves it from one to another"
    style="width: 100%; font: 13px sans-serif; color: inherit"
""".strip()
TIP = """
    <defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"
    orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="currentColor"/></marker></defs>
""".strip()
COLUMN, ROW = 190, 120
LEFT, TOP = 70, 84
GAP = 56


@frozen
class Edge:
    """An arrow of the drawing; from `FRAME` it stands for one from each state in it."""

    source: str
    trigger: str
    target: str


def edges(table: Table) -> list[Edge]:
    """The arrows to draw: one from the frame where all the states in it go the same way."""
    shared = _shared(table)
    single = [
        Edge(state, trigger, target)
        for state, ways in table.items()
        for trigger, target in ways.items()
        if not (state in FRAMED and trigger in shared)
    ]
    return single + [Edge(FRAME, trigger, target) for trigger, target in shared.items()]


def _shared(table: Table) -> dict[str, str]:
    ways = [set(table.get(state, {}).items()) for state in FRAMED]
    return dict(sorted(set.intersection(*ways)))


def lifecycle_svg(table: Table) -> str:
    """The life of a place, as a picture."""
    width, height = LEFT * 2 + COLUMN * 3, TOP * 2 + ROW * 2
    return "\n".join(
        [
            f'<svg class="lifecycle" viewBox="0 0 {width} {height}" {STYLE}>',
            TIP,
            _frame(),
            *(_draw_line(edge) for edge in edges(table)),
            *(_draw_label(edge) for edge in edges(table)),
            *(_draw_state(state, *_spot(state)) for state in table),
            "</svg>",
        ]
    )


def _spot(state: str) -> tuple[float, float]:
    column, row = MAP[state]
    return LEFT + COLUMN * column, TOP + ROW * row


def _frame_box() -> tuple[float, float, float, float]:
    spots = [_spot(state) for state in FRAMED]
    return (
        min(x for x, _ in spots) - WIDTH / 2 - GAP,
        min(y for _, y in spots) - HEIGHT / 2 - GAP,
        max(x for x, _ in spots) + WIDTH / 2 + 14,
        max(y for _, y in spots) + HEIGHT / 2 + 14,
    )


def _frame() -> str:
    left, top, right, bottom = _frame_box()
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" rx="12"'
        ' fill="none" stroke="currentColor" stroke-dasharray="4 4" opacity="0.6"/>'
    )


def _draw_state(state: str, x: float, y: float) -> str:
    return (
        f'<g data-state="{state}"><rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}"'
        f' width="{WIDTH}" height="{HEIGHT}" rx="8" fill="none" stroke="currentColor"/>'
        f'<text x="{x:g}" y="{y + 4:g}" text-anchor="middle" fill="currentColor">'
        f"<tspan font-weight='bold'>{state}</tspan></text></g>"
    )


def _draw_line(edge: Edge) -> str:
    return (
        f'<path data-from="{edge.source}" data-trigger="{edge.trigger}" data-to="{edge.target}"'
        f' d="{_line(edge)[0]}" fill="none" stroke="currentColor" marker-end="url(#tip)"/>'
    )


def _draw_label(edge: Edge) -> str:
    _, x, y = _line(edge)
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" font-style="italic"'
        ' fill="currentColor" stroke="var(--color-background-primary, white)" stroke-width="4"'
        f' paint-order="stroke">{escape(edge.trigger)}</text>'
    )


def _line(edge: Edge) -> tuple[str, float, float]:
    """The line, and where its label stands."""
    return _frame_path(edge) if edge.source == FRAME else _path(edge)


def _frame_path(edge: Edge) -> tuple[str, float, float]:
    """From the frame's left side straight to a state that stands beside it."""
    left = _frame_box()[0]
    x, y = _spot(edge.target)
    y += 10
    end = x + WIDTH / 2
    return f"M{left:g},{y:g} L{end:g},{y:g}", (left + end) / 2, y + 16


def _path(edge: Edge) -> tuple[str, float, float]:
    """A line from border to border, bent to its left so that the way back has its own."""
    (x1, y1), (x2, y2) = _spot(edge.source), _spot(edge.target)
    length = math.hypot(x2 - x1, y2 - y1)
    bend = BENDS.get((edge.source, edge.target), 10 + length / 14)
    across_x, across_y = (y2 - y1) / length, (x1 - x2) / length
    control = ((x1 + x2) / 2 + across_x * bend, (y1 + y2) / 2 + across_y * bend)
    start, end = _border((x1, y1), control), _border((x2, y2), control)
    x = (start[0] + 2 * control[0] + end[0]) / 4 + across_x * 10
    y = (start[1] + 2 * control[1] + end[1]) / 4 + across_y * 10 + 4
    control_text = f"{control[0]:.0f},{control[1]:.0f}"
    return f"M{start[0]:.0f},{start[1]:.0f} Q{control_text} {end[0]:.0f},{end[1]:.0f}", x, y


def _border(centre: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Where the line from the centre of a state towards a point leaves its box."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    scale = min(
        WIDTH / 2 / abs(dx) if dx else math.inf,
        HEIGHT / 2 / abs(dy) if dy else math.inf,
    )
    return centre[0] + dx * scale, centre[1] + dy * scale


# Tables, as reStructuredText --------------------------------------------------------------------


def lifecycle_table(table: Table) -> str:
    """The same as the picture: from (down), by (across), to."""
    triggers = list(dict.fromkeys(trigger for ways in table.values() for trigger in ways))
    rows = [
        [f"**{state}**", *(ways.get(trigger, "") for trigger in triggers)]
        for state, ways in table.items()
    ]
    return _list_table(["", *(f"*{trigger}*" for trigger in triggers)], rows)


def ends_table(ends: Mapping[Any, Any]) -> str:
    """What an end that nobody asked for does."""
    rows = [
        [
            f'``"{restart}"``',
            how,
            "yes" if rule.reported else "no",
            "yes" if rule.restarted else "no",
        ]
        for (restart, how), rule in ends.items()
    ]
    return _list_table(["``restart=``", "it ended", "reported", "restarted"], rows)


def refusals_table(refusals: Table, states: Table) -> str:
    """Which request is refused in which state."""
    rows = [
        [state, *(_refusal(refused.get(state)) for refused in refusals.values())]
        for state in states
        if state != "removed"
    ]
    return _list_table(["state", *(f"``{asked}``" for asked in refusals)], rows)


def _refusal(error: Any) -> str:
    return "served" if error is None else f"`{error.__name__}`"


def _list_table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join([".. list-table::", "   :header-rows: 1", "", *_rows([head, *rows])])


def _rows(rows: list[list[str]]) -> Iterator[str]:
    for row in rows:
        for number, cell in enumerate(row):
            yield f"   {'* -' if number == 0 else '  -'} {cell}".rstrip()
