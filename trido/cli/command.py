"""The command line: what may be said, and what is said back when it is wrong."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from cyclopts import App, CycloptsError, Parameter, validators

from trido.cli.demo import demo as run_demo
from trido.cli.journal import app as journal
from trido.cli.new import new as start_project
from trido.cli.replay import Wanted
from trido.cli.replay import replay as run_replay
from trido.cli.run import Level, run_app
from trido.cli.session import Options
from trido.cli.source import BUNDLED
from trido.cli.tree import draw_app, explain_crash
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
)
app.command(journal)
app.register_install_completion_command(help="Have the shell complete commands and options.")

_App: TypeAlias = Annotated[str, Parameter(help="The app, such as `shop.service:app`.")]
_Json: TypeAlias = Annotated[
    bool, Parameter(negative=(), show_default=False, help="Print one JSON object.")
]


def run(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit code."""
    try:
        code = app(sys.argv[1:] if arguments is None else arguments)
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


@app.command(name="run")
def run_(
    where: Annotated[_App, Parameter(name="APP")],
    /,
    *,
    watch: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    log: Level = "info",
) -> int:
    """Run an app until it ends, or is stopped.

    The first Ctrl-C or SIGTERM stops it in order, the second kills what takes its time. It exits
    with 0 if it ended by itself, with 1 if it failed or its supervisor gave up, with 2 if there is
    no such app, with 130 and 143 if it was stopped by Ctrl-C and by SIGTERM.

    ```
    trido run shop:app
    trido run shop.py:main --watch --log warning
    ```

    Parameters
    ----------
    watch
        Show the tree as it is; plain lines of what changes where there is no terminal.
    log
        From which level on the log is on stderr, unless the app has set up logging itself.
    """
    return run_app(where, watch=watch, level=log)


@app.command
def tree(where: Annotated[_App, Parameter(name="APP")], /, *, json: _Json = False) -> int:
    """Draw the tree of an app, without running it.

    ```
    trido tree shop:app
    ```
    """
    return draw_app(where, as_json=json)


@app.command
def explain(
    where: Annotated[_App, Parameter(name="APP")],
    /,
    *,
    crash: str,
    json: _Json = False,
) -> int:
    """Say what follows if a child of an app crashes, without running it.

    ```
    trido explain shop:app --crash feed
    ```

    Parameters
    ----------
    crash
        The child: its id, or its path below the root, such as `feeds/eu`.
    """
    return explain_crash(where, crash, as_json=json)


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


@app.command
def drill(
    name: Annotated[str | None, Parameter(help="The drill.")] = None,
    where: Annotated[str | None, Parameter(name="APP", help="An app of your own.")] = None,
    /,
    *,
    all: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    plan: Annotated[str | None, Parameter(show_default=False)] = None,
    seed: int = 0,
    seconds: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 60.0,
    json: _Json = False,
) -> int:
    """Bring a failure about, and see that the app bears it; without a name, list the drills.

    It exits with 0 if every drill was passed, and with 1 if one was not. Without an app a drill is
    carried out on an example of its own.

    ```
    trido drill crash
    trido drill crash-storm shop:app
    trido drill --all
    trido drill --plan "crash desk at turn 3" shop:app
    ```

    Parameters
    ----------
    all
        Carry out all of them, each on its example.
    plan
        Have these faults happen to an app, in virtual time, in place of a drill.
    seed
        Decides in which order tasks run under a plan.
    seconds
        How long the app runs under a plan.
    """
    # It brings along all of `trido.testing`, which the other commands need not wait for.
    from trido.cli.drill import drill as run_drill  # noqa: PLC0415
    from trido.cli.drill import drill_plan  # noqa: PLC0415

    if plan is not None:
        return drill_plan(plan, where or name or "", seed=seed, seconds=seconds, as_json=json)
    return run_drill(name, where, all_of_them=all, as_json=json)


@app.command
def doctor(
    where: Annotated[_App, Parameter(name="APP")],
    /,
    *,
    waive: Annotated[list[str] | None, Parameter(negative=(), show_default=False)] = None,
    json: _Json = False,
) -> int:
    """Go through the production checklist of an app.

    Each item passes, fails or is waived, with the values that say so. It exits with 1 if one fails.
    An app that is no spec is opened for it, and closed at once.

    ```
    trido doctor shop:app
    trido doctor shop:app --waive "ids=it is the only one"
    ```

    Parameters
    ----------
    waive
        An item that may fail, and why: `item=reason`, or `item:id=reason` for one id. The app's
        module may have such reasons, too, in a table by item, `WAIVED`.
    """
    from trido.cli.doctor import doctor as examine  # noqa: PLC0415  # as above

    return examine(where, waive=waive or (), as_json=json)


@app.command
def new(target: Annotated[Path, Parameter(name="NAME", help="What it is called.")], /) -> int:
    """Write a starter project: a supervised agent, its tests, and a README.

    ```
    trido new shop-service
    ```
    """
    return start_project(target)
