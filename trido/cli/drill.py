"""``trido drill``: failures that are brought about, with a pass or a fail for each."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import Any

from rich.console import Console
from rich.text import Text

from trido.cli.drills import DRILLS
from trido.cli.drills.judge import Verdict
from trido.cli.drills.kit import Drill, Terminated, carry_out
from trido.cli.drills.planned import Planned, parsed
from trido.cli.job import printable, stdout_for
from trido.cli.kinds import app_at
from trido.cli.load import UserError, did_you_mean
from trido.cli.stage import NotForThisApp


def drill(
    name: str | None,
    where: str | None,
    *,
    all_of_them: bool,
    as_json: bool,
    unused: Sequence[str] = (),
) -> int:
    """Carry out one drill, or all; or list them. Returns the exit code.

    0: each was passed. 1: one was not. 2: there is no such drill, or no such app. 130: stopped by
    Ctrl-C. 143: by SIGTERM.

    ``unused`` are options that no drill has.
    """

    def work() -> int:
        if unused:
            what = " and ".join(unused)
            raise UserError(f"{what}: a matter of plans only, and there is no --plan LINE")
        app = where or (name if all_of_them and name not in DRILLS else None)
        chosen = _chosen(name, app, all_of_them=all_of_them)
        console = _console()
        if chosen is None:
            _list(console, as_json=as_json)
            return 0
        return _carry_out(chosen, app, console, as_json=as_json)

    return _exit_code(work)


def drill_plan(
    line: str, where: str, *, seed: int | None, seconds: float | None, as_json: bool
) -> int:
    """Have a plan of faults happen to an app. Returns the exit code, as `drill`."""

    def work() -> int:
        _check_app(where)
        number = _checked_seed(0 if seed is None else seed)
        lasts = _checked_seconds(60.0 if seconds is None else seconds)
        plan = Planned(parsed(line), lambda: app_at(where), lasts)
        one = plan.drill()
        with stdout_for(as_json=as_json):
            verdict = plan.carry_out(number)
        again = f"--plan {quote(one.does)} --seed {number}"
        if seconds is not None:
            again += f" --seconds {seconds}"
        if as_json:
            print(json.dumps({**verdict.as_json(), "plan": one.does, "seed": number}))
        else:
            console = _console()
            console.print(report(one, verdict), soft_wrap=True)
            console.print(f"      the same again: {again}", soft_wrap=True)
        return 0 if verdict.passed else 1

    return _exit_code(work)


def _console() -> Console:
    return Console(highlight=False, emoji=False, markup=False)


def _exit_code(work: Callable[[], int]) -> int:
    try:
        return work()
    except UserError as error:
        print(printable(f"trido drill: {error}"), file=sys.stderr)
        return 2
    except (KeyboardInterrupt, BaseExceptionGroup):  # of interruptions: all else is a verdict
        return 130
    except Terminated:
        return 143


def _checked_seed(seed: int) -> int:
    if seed < 0:
        raise UserError(f"--seed {seed} is not allowed: it must be 0 or more")
    return seed


def _checked_seconds(seconds: float) -> float:
    if not 0 < seconds < math.inf:
        raise UserError(f"--seconds {seconds:g} is not allowed: it must be a finite number > 0")
    return seconds


def _check_app(where: str) -> None:
    if not where:
        raise UserError("--plan takes an app and no drill: say --plan LINE shop:app")


def _chosen(name: str | None, where: str | None, *, all_of_them: bool) -> Sequence[Drill] | None:
    if all_of_them:
        if name in DRILLS:
            raise UserError(f"say --all or {name!r}, not both")
        return tuple(one for one in DRILLS.values() if where is None or one.takes_apps)
    if name is None:
        return None
    found = DRILLS.get(name)
    if found is None:
        more = did_you_mean(name, DRILLS) or f"; there are {', '.join(DRILLS)}"
        raise UserError(f"there is no drill {name!r}{more}")
    if where is not None and not found.takes_apps:
        allowed = ", ".join(one.name for one in DRILLS.values() if one.takes_apps)
        what = f"{name} is about an example of its own, and takes no app"
        raise UserError(f"{what}; on an app there are {allowed}, and faults by --plan")
    return (found,)


def _carry_out(
    drills: Sequence[Drill], where: str | None, console: Console, *, as_json: bool
) -> int:
    verdicts: list[Verdict] = []
    left_out: dict[str, str] = {}
    subject = None if where is None else lambda: app_at(where)
    for one in drills:
        try:
            with stdout_for(as_json=as_json):
                verdicts.append(carry_out(one, subject))
        except NotForThisApp as error:
            if len(drills) == 1:
                raise
            left_out[one.name] = f"{error}"
        else:
            if not as_json:
                console.print(report(one, verdicts[-1]), soft_wrap=True)
    passed = sum(one.passed for one in verdicts)
    if as_json:
        found = [one.as_json() for one in verdicts]
        print(json.dumps({"passed": passed, "drills": found, "left_out": left_out}))
    elif len(drills) > 1:
        _sum_up(console, passed, len(verdicts), left_out)
    return 0 if passed == len(verdicts) else 1


def _sum_up(console: Console, passed: int, of: int, left_out: Mapping[str, str]) -> None:
    for name, why in left_out.items():
        console.print(printable(f"left out  {name}: {why}"), soft_wrap=True)
    console.print(f"{passed} of {of} drills passed")


def report(drill: Drill, verdict: Verdict) -> Text:
    """What a person is told: the drill, its verdict, and each figure with its limit."""
    word, style = ("pass", "bold green") if verdict.passed else ("FAIL", "bold red")
    text = Text.assemble((word, style), f"  {drill.name}: {drill.does}\n")
    for check in verdict.checks:
        found = "?" if check.found is None else f"{round(check.found, 3):g}"
        limit = f"{check.limit.relation} {check.limit.value:g}"
        style = "dim" if check.passed else "red"
        mark = " " if check.passed else "!"
        text.append(f"    {mark} {check.limit.figure}: {found} ({limit})\n", style)
    if verdict.trouble is not None:
        text.append(f"    ! {printable(verdict.trouble)}\n", "red")
    if not verdict.passed:
        text.append(f"      what helps: {drill.protection}\n")
    text.rstrip()
    return text


def _list(console: Console, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_described(one) for one in DRILLS.values()]))
        return
    for one in DRILLS.values():
        console.print(f"{one.name:<21}{one.does}", soft_wrap=True)


def _described(drill: Drill) -> dict[str, Any]:
    return {
        "drill": drill.name,
        "does": drill.does,
        "protection": drill.protection,
        "takes_apps": drill.takes_apps,
        "limits": [
            {"figure": one.figure, one.relation.replace(" ", "_"): one.value}
            for one in drill.limits
        ],
    }
