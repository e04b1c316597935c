"""The command line: what may be said, and what is said back when it is wrong."""

from __future__ import annotations

import io
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from cyclopts import App, CycloptsError, Parameter, validators

from trido.cli import commands
from trido.cli.demo import demo as run_demo
from trido.cli.journal import app as journal
from trido.cli.replay import Wanted
from trido.cli.replay import replay as run_replay
from trido.cli.session import Options
from trido.cli.source import BUNDLED
from trido.supervision.policy import Strategy

app: Final[App] = App(
    name="trido",
    help="""OTP supervisors and Jido-like agents on Trio.

    An APP is named as `module:name`, such as `shop.service:app`, or as `file.py:name`; without
    `:name` it is the name `app`. It is a spec of a supervisor, a child or an agent, a function that
    returns one, an async function of nothing or of a runtime, or what opens a runtime or a
    supervisor by `async with`.
    """,
    result_action="return_value",
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
app.command(journal)
app.command(commands.run)
app.command(commands.tree)
app.command(commands.explain)
app.command(commands.drill)
app.command(commands.doctor)
app.command(commands.new)
app.register_install_completion_command(help="Have the shell complete commands and options.")

_Json: TypeAlias = Annotated[
    bool, Parameter(negative=(), show_default=False, help="Print one JSON object.")
]


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # of a terminal that has no line drawing
    try:
        code = app(sys.argv[1:] if arguments is None else arguments)
    except CycloptsError:
        return 2
    except KeyboardInterrupt:
        return 130
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
    durable: Annotated[Path | None, Parameter(show_default=False)] = None,
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
    durable
        Keep it in this file: killed at any moment, and begun again with the same file, it goes on.
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
            durable=durable,
        )
    )


@app.command
def replay(
    file: Annotated[Path, Parameter(help="The journal.")],
    where: Annotated[str, Parameter(name="DEFINITION", help="The agent, as `module:name`.")],
    /,
    *,
    agent: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    partition: Annotated[str | None, Parameter(show_default=False)] = None,
    since: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 0,
    until: Annotated[int | None, Parameter(validator=validators.Number(gte=0))] = None,
    differences: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    json: _Json = False,
) -> int:
    """Decide the turns of a journal again, by the code that is there now, and say what differs.

    The journal is only read, and may be in use meanwhile. It exits with 0 if all came out as
    recorded, with 1 if something did not, with 2 if that cannot be found out.

    ```
    trido replay app.db shop:counter
    trido replay app.db shop:counter --agent c-17
    ```

    Parameters
    ----------
    agent
        The id of an agent; may be given more than once. Without it, all of that definition.
    partition
        Where the agents are; without it, those of all partitions.
    since
        Turns up to this revision are left out.
    until
        So are those after this one.
    differences
        How many are looked for in each agent.
    """
    return run_replay(
        Wanted(
            file=file,
            where=where,
            agents=agent,
            partition=partition,
            since=since,
            until=math.inf if until is None else until,
            most=differences,
            json=json,
        )
    )
