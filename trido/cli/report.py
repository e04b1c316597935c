"""How a run ended: the figures as a report for a person, and as one object for a program. Pure."""

from __future__ import annotations

from typing import Any, Final

import attrs
from attrs import frozen
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trido.cli.figures import Figures, Sample
from trido.cli.ledger import Fate, Ledger, Reason
from trido.cli.lives import Life
from trido.cli.panel import WIDTH, milliseconds

_SHOWN: Final = 20
"""How many reasons of each fate are listed."""
_LINES: Final = 3
"""How many lines are named for each."""

_FATES: Final[dict[Fate, tuple[str, str]]] = {
    "handled": ("handled", "green"),
    "refused": ("refused", "yellow"),
    "dead_lettered": ("dead-lettered", "magenta"),
    "not_delivered": ("not delivered", "red"),
}


@frozen(kw_only=True)
class Result:
    """A run that is over."""

    ledger: Ledger
    figures: Figures
    seconds: float
    exit_code: int
    problem: str | None
    """Why it ended before the end of the input, if it did."""
    life: Life | None = None
    """Which of its lives it was, if it has several."""


def as_json(result: Result) -> dict[str, Any]:
    """The report for programs."""
    figures = result.figures
    return {
        **attrs.asdict(result.ledger.balance()),
        "crashes": figures.crashes,
        "restarts": figures.restarts,
        **_times("recover", figures.recoveries),
        **_times("billing", figures.calm),
        **_times("billing_while_support_was_down", figures.stormy),
        "reasons": {
            fate: {name: reason.count for name, reason in reasons.items()}
            for fate, reasons in result.ledger.reasons.items()
            if reasons
        },
        "seconds": round(result.seconds, 3),
        "problem": result.problem,
        **({} if result.life is None else {"life": attrs.asdict(result.life)}),
    }


def _times(name: str, sample: Sample) -> dict[str, float | int | None]:
    return {
        f"{name}_p50_ms": _rounded(sample.percentile_ms(50)),
        f"{name}_p99_ms": _rounded(sample.percentile_ms(99)),
        f"{name}_count": sample.count,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def print_report(console: Console, result: Result) -> None:
    """Print the report for people."""
    console.print(Padding(_report(result), (1, 0, 1, 0)), width=min(WIDTH, console.width))


def _report(result: Result) -> RenderableType:
    return Group(_fates(result.ledger), "", _self_healing(result.figures), "", *_verdict(result))


def _fates(ledger: Ledger) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, expand=True)
    table.add_column(justify="right", width=7)
    table.add_column(ratio=1)
    table.add_column(style="dim", justify="right", width=18, no_wrap=True)
    balance = ledger.balance()
    table.add_row(Text(f"{balance.lines:,}", "bold"), Text("lines", "bold"))
    for fate, (name, style) in _FATES.items():
        number = ledger.settled[fate]
        if number or fate != "not_delivered":
            table.add_row(Text(f"{number:,}", style), Text(name, style))
            _add_reasons(table, ledger.reasons[fate])
    left = ledger.unaccounted()
    table.add_row(
        Text(f"{len(left):,}", "bold red" if left else ""), "unaccounted for", _lines(left)
    )
    return table


def _add_reasons(table: Table, reasons: dict[str, Reason]) -> None:
    known = sorted(reasons.items(), key=lambda item: -item[1].count)
    for name, reason in known[:_SHOWN]:
        lines = _lines(reason.lines, of=reason.count)
        table.add_row(Text(f"{reason.count:,}", "dim"), Padding(Text(name), (0, 0, 0, 2)), lines)
    if len(known) > _SHOWN:
        table.add_row("", Text(f"  and {len(known) - _SHOWN:,} more reasons", "dim"))


def _lines(lines: list[int], of: int | None = None) -> str:
    """The first few lines, as they fit."""
    shown = ", ".join(map(str, lines[:_LINES]))
    return f"{shown} …" if (of or len(lines)) > _LINES else shown


def _self_healing(figures: Figures) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", width=38)
    for name in ("p50", "p99", "times"):
        table.add_column(name, justify="right", width=9)
    for name, sample in (
        ("from a crash to its recovery", figures.recoveries),
        ("billing answered, support well", figures.calm),
        ("billing answered, support down", figures.stormy),
    ):
        table.add_row(
            name,
            milliseconds(sample.percentile_ms(50)),
            milliseconds(sample.percentile_ms(99)),
            f"{sample.count:,}",
        )
    return table


def _verdict(result: Result) -> list[RenderableType]:
    figures, balance = result.figures, result.ledger.balance()
    lines: list[RenderableType] = [
        Text.assemble(
            (f"{figures.crashes:,}", "red"),
            f" crash{'es' * (figures.crashes != 1)}, ",
            (f"{figures.restarts:,}", "green"),
            f" restart{'s' * (figures.restarts != 1)}, {result.seconds:.1f} s",
        )
    ]
    if result.problem is not None:
        lines.append(Text(result.problem, "bold red"))
    if result.life is not None:
        lines += _lives(result.life, balance.not_delivered)
    if balance.is_clean:
        lines.append(Text("Every line is accounted for.", "bold green"))
    else:
        wrong = balance.unaccounted + balance.settled_twice
        lines.append(Text(f"{wrong:,} lines are not accounted for exactly once.", "bold red"))
    return lines


def _lives(life: Life, left: int) -> list[RenderableType]:
    lines: list[RenderableType] = []
    if life.number > 1:
        lines.append(Text(f"Found again in {life}."))
    if life.agrees:
        lines.append(Text("What the agents remember is what is booked.", "green"))
    elif life.agrees is not None:
        lines.append(Text("What the agents remember is not what is booked.", "bold red"))
    elif left:
        lines.append(Text("What is not delivered is, if it is begun again with this file."))
    return lines
