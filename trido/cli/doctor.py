"""``trido doctor module:app``: the production checklist, with evidence."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import trio
from rich.console import Console
from rich.text import Text

from trido.cli.checklist import Result, examined
from trido.cli.drills.kit import silence
from trido.cli.facts import Facts, of_spec, of_stage
from trido.cli.items import ITEMS
from trido.cli.job import printable, stdout_for
from trido.cli.kinds import Tree, app_of
from trido.cli.load import UserError, did_you_mean, load, said
from trido.cli.stage import staged

TABLE: Final = "WAIVED"
"""The table in the app's module of what is waived: reasons, by item."""
_SHOWN: Final = 3
"""So many good values of each item a person is told of."""
_STYLES: Final = {"pass": "bold green", "fail": "bold red", "waived": "bold yellow"}


def doctor(where: str, *, waive: Sequence[str], as_json: bool) -> int:
    """Examine an app; returns the exit code.

    0: all items pass, or are waived. 1: one fails. 2: there is no such app, or it did not start.
    """
    try:
        with silence(), stdout_for(as_json=as_json):
            facts, table = trio.run(_examine, where)
        results = examined(facts, {**_checked(table), **_parsed(waive)})
    except UserError as error:
        print(printable(f"trido doctor: {error}"), file=sys.stderr)
        return 2
    failed = sum(one.status == "fail" for one in results)
    if as_json:
        print(json.dumps({"failed": failed, "items": [one.as_json() for one in results]}))
    else:
        _print(results, failed)
    return 1 if failed else 0


async def _examine(where: str) -> tuple[Facts, object]:
    module, value = load(where)
    app = app_of(where, value)
    table = getattr(module, TABLE, {})
    if isinstance(app, Tree):
        return of_spec(app.spec), table
    try:
        async with staged(app) as stage:
            return of_stage(stage), table
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where} does not start: {said(error)}") from error
    raise UserError(f"{where} gave up at once")  # pragma: no cover - what is entered was ready


def _checked(table: object) -> Mapping[str, str]:
    if not isinstance(table, Mapping):
        raise UserError(f"{TABLE} in the app's module is no table of reasons by item")
    for name, reason in table.items():
        _refuse_unknown(f"{name}")
        if not (isinstance(reason, str) and reason):
            raise UserError(f"{TABLE}[{name!r}] gives no reason")
    return table


def _parsed(waive: Sequence[str]) -> dict[str, str]:
    waived = {}
    for one in waive:
        name, _, reason = one.partition("=")
        _refuse_unknown(name)
        if not reason:
            raise UserError(f'--waive {name} gives no reason: say --waive "{name}=why"')
        waived[name] = reason
    return waived


def _refuse_unknown(name: str) -> None:
    known = [one.name for one in ITEMS]
    item = name.partition(":")[0]
    if item not in known:
        more = did_you_mean(item, known) or f"; there are {', '.join(known)}"
        raise UserError(f"there is no item {item!r}{more}")


def _print(results: Sequence[Result], failed: int) -> None:
    console = Console(highlight=False, emoji=False, markup=False)
    for one in results:
        console.print(report(one), soft_wrap=True)
    waived = sum(one.status == "waived" for one in results)
    passed = len(results) - failed - waived
    console.print(f"{passed} pass, {failed} fail, {waived} waived")


def report(result: Result) -> Text:
    """What a person is told of one item."""
    item = result.item
    text = Text.assemble(
        (f"{result.status:<8}", _STYLES[result.status]), f"{item.name}: {item.holds}"
    )
    bad = [one for one in result.evidence if not one.ok]
    good = [one for one in result.evidence if one.ok]
    for one in bad:
        text.append(
            f"\n       ! {printable(str(one))}", "red" if result.status == "fail" else "dim"
        )
    for one in good[:_SHOWN]:
        text.append(f"\n         {printable(str(one))}", "dim")
    if len(good) > _SHOWN:
        text.append(f"\n         and {len(good) - _SHOWN} more", "dim")
    if not result.evidence:
        text.append("\n         there is nothing of the kind", "dim")
    if result.status == "fail":
        text.append(f"\n         {item.remedy}")
    if result.reason is not None:
        text.append(f"\n         {printable(result.reason)}")
    return text
