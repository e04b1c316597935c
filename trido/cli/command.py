"""The command line: what may be said, and what is said back when it is wrong."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, CycloptsError, Parameter, validators

from trido.cli.demo import demo as run_demo
from trido.cli.journal import app as journal
from trido.cli.session import Options
from trido.cli.source import BUNDLED
from trido.supervision.policy import Strategy

app: Final[App] = App(
    name="trido",
    help="OTP supervisors and Jido-like agents on Trio.",
    result_action="return_value",
    exit_on_error=False,
)
app.command(journal)


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit code."""
    try:
        code = app(arguments)
    except CycloptsError:
        return 2
    except BrokenPipeError:
        # Whoever read this has gone; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return int(code or 0)


def _speed(type_: Any, tokens: Sequence[Any]) -> float:
    text = tokens[0].value
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0 or (speed == math.inf and text != "max"):
        raise ValueError(f'"{text}" is not a speed: say a number above 0, or max')
    return speed


@app.command
def demo(
    *,
    input: Annotated[Path, Parameter(show_default=False)] = BUNDLED,
    strategy: Strategy = "one_for_one",
    max_restarts: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 30,
    speed: Annotated[float, Parameter(converter=_speed)] = 1.0,
    seed: int = 0,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Watch two agents, under one supervisor, work through a day's letters to a shop.

    Some of the letters are malformed, some make the support agent crash, some take it long. The
    application is examples/support_desk.py; it has no recovery code.

    Parameters
    ----------
    input
        A file of JSON lines to work through instead of the bundled one.
    strategy
        Whom the supervisor restarts when an agent crashes.
    max_restarts
        How many restarts in 5 seconds it bears before it gives up.
    speed
        How many times faster than usual (80 lines a second), or max.
    seed
        Decides the gaps between one line and the next.
    json
        Print one JSON object in the end, and all else to stderr.
    """
    return run_demo(
        Options(
            input=input,
            strategy=strategy,
            max_restarts=max_restarts,
            speed=speed,
            seed=seed,
            json=json,
        )
    )
