"""The live picture: what the desk looks like at one moment. Pure."""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trido.cli.figures import Figures
from trido.cli.ledger import Balance

WIDTH: Final = 78
"""What every terminal has room for."""
_BAR: Final = 16

_STATES: Final = {"running": "green", "restarting": "yellow", "starting": "yellow"}


@frozen(kw_only=True)
class AgentPicture:
    """One agent."""

    id: str
    state: str
    incarnation: int
    restarts: int
    mailbox: int
    """How many signals wait in its mailbox."""
    capacity: int
    """How many may."""


@frozen(kw_only=True)
class Snapshot:
    """All of it, at one moment."""

    time: float
    """Seconds into the run."""
    supervisor: str
    strategy: str
    limit: str
    """Its restart limit, in words."""
    in_window: int
    """Restarts that count against the limit now."""
    state: str
    """Whether the supervisor is running."""
    agents: tuple[AgentPicture, ...]
    balance: Balance
    figures: Figures
    """Not a copy: to be read at once."""
    progress: float | None
    """How much of the input was read, from 0 to 1, if that can be known."""


def panel(picture: Snapshot, width: int = WIDTH) -> RenderableType:
    """The picture, for a terminal of so many columns."""
    used = f"{picture.in_window} of {picture.limit}"
    title = f"{picture.supervisor} [dim]·[/] {picture.strategy} [dim]·[/] {used}"
    return Panel(
        Group(_tree(picture), "", _progress(picture), *_sums(picture)),
        title=title,
        title_align="left",
        subtitle=f"{picture.time:.1f} s",
        subtitle_align="right",
        width=min(width, WIDTH),
        border_style="dim",
        padding=(0, 1),
    )


def plain(picture: Snapshot) -> str:
    """The picture, as one line of words."""
    balance = picture.balance
    agents = ", ".join(
        f"{agent.id} {agent.state} (run {agent.incarnation}, mailbox {agent.mailbox})"
        for agent in picture.agents
    )
    return f"{balance.lines:,} lines read, {balance.handled:,} handled; {agents}"


def _tree(picture: Snapshot) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, width, justify in _COLUMNS:
        table.add_column(name, width=width, justify=justify)
    table.add_row(Text(picture.supervisor, "bold"), _state(picture.state))
    for number, agent in enumerate(picture.agents, 1):
        branch = "└── " if number == len(picture.agents) else "├── "
        table.add_row(
            Text.assemble((branch, "dim"), agent.id),
            _state(agent.state),
            str(agent.incarnation),
            str(agent.restarts),
            str(agent.mailbox),
            _bar(agent),
        )
    return table


_COLUMNS: Final[tuple[tuple[str, int, Literal["left", "right"]], ...]] = (
    ("", 14, "left"),
    ("state", 10, "left"),
    ("run", 4, "right"),
    ("restarts", 8, "right"),
    ("mailbox", 7, "right"),
    ("", _BAR, "left"),
)


def _state(state: str) -> Text:
    return Text(state, _STATES.get(state, "red"))


def _bar(agent: AgentPicture) -> Text:
    length = round(_BAR * agent.mailbox / agent.capacity) if agent.capacity else 0
    return Text("▪" * max(length, min(agent.mailbox, 1)), "cyan")


def _progress(picture: Snapshot) -> RenderableType:
    if picture.progress is None:
        return Text(f"{picture.balance.lines:,} lines")
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_row(
        ProgressBar(total=1, completed=picture.progress, width=50, pulse=False),
        Text(f"{picture.balance.lines:,} lines"),
    )
    return row


def _sums(picture: Snapshot) -> tuple[Text, Text, Text]:
    balance, figures = picture.balance, picture.figures
    return (
        _row(
            ("handled", f"{balance.handled:,}", "green"),
            ("refused", f"{balance.refused:,}", "yellow"),
            ("dead letters", f"{balance.dead_lettered:,}", "magenta"),
            ("waiting", f"{balance.unaccounted:,}", ""),
        ),
        _row(
            ("crashes", f"{figures.crashes:,}", "red"),
            ("restarts", f"{figures.restarts:,}", "green"),
            ("to recover", milliseconds(figures.recoveries.percentile_ms(50)), ""),
        ),
        _row(
            ("billing answers in", milliseconds(figures.calm.percentile_ms(50)), ""),
            ("while support is down", milliseconds(figures.stormy.percentile_ms(50)), ""),
        ),
    )


def _row(*cells: tuple[str, str, str]) -> Text:
    row = Text()
    for name, value, style in cells:
        row.append(f"{name} ", "dim").append(value, style)
        row.append("   ")
    return row


def milliseconds(value: float | None) -> str:
    """A duration with the digits that matter; a dash for none."""
    if value is None:
        return "-"
    digits = next(digits for least, digits in _DIGITS if value >= least)
    return f"{value:,.{digits}f} ms"


_DIGITS: Final = ((100, 0), (10, 1), (0, 2))
