"""What may be said of an app on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from trido.cli.new import new as start_project
from trido.cli.run import Level, run_app
from trido.cli.tree import draw_app, explain_crash

_App: TypeAlias = Annotated[str, Parameter(help="The app, such as `shop.service:app`.")]
_Json: TypeAlias = Annotated[
    bool, Parameter(negative=(), show_default=False, help="Print one JSON object.")
]


def run(
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


def tree(where: Annotated[_App, Parameter(name="APP")], /, *, json: _Json = False) -> int:
    """Draw the tree of an app, without running it.

    ```
    trido tree shop:app
    ```
    """
    return draw_app(where, as_json=json)


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


def drill(
    name: Annotated[str | None, Parameter(help="The drill.")] = None,
    where: Annotated[str | None, Parameter(name="APP", help="An app of your own.")] = None,
    /,
    *,
    all: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    plan: Annotated[str | None, Parameter(show_default=False)] = None,
    seed: Annotated[int | None, Parameter(show_default=False)] = None,
    seconds: Annotated[float | None, Parameter(show_default=False)] = None,
    json: _Json = False,
) -> int:
    """Bring a failure about, and see that the app bears it; without a name, list the drills.

    It exits with 0 if every drill was passed, and with 1 if one was not. Without an app a drill is
    carried out on an example of its own.

    ```
    trido drill crash
    trido drill crash-storm shop:app
    trido drill --all
    trido drill --all shop:app
    trido drill --plan "crash desk at turn 3" shop:app
    ```

    Parameters
    ----------
    all
        Carry out all of them, each on its example; or on an app those that can be.
    plan
        Have these faults happen to an app, in virtual time, in place of a drill.
    seed
        Decides in which order tasks run under a plan; 0 if it is not said.
    seconds
        How long the app runs under a plan, in virtual time; 60 if it is not said.
    """
    # It brings along all of `trido.testing`, which the other commands need not wait for.
    from trido.cli.drill import drill as run_drill  # noqa: PLC0415
    from trido.cli.drill import drill_plan  # noqa: PLC0415

    if plan is not None:
        app = "" if where or all else name or ""  # there is no drill to name beside it
        return drill_plan(plan, app, seed=seed, seconds=seconds, as_json=json)
    only = {"--seed": seed, "--seconds": seconds}
    unused = [option for option, value in only.items() if value is not None]
    return run_drill(name, where, all_of_them=all, as_json=json, unused=unused)


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


def new(target: Annotated[Path, Parameter(name="NAME", help="What it is called.")], /) -> int:
    """Write a starter project: a supervised agent, its tests, and a README.

    ```
    trido new shop-service
    ```
    """
    return start_project(target)
