"""The process is killed, while it is doing what must be done once."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import trio
from attrs import frozen

import trido
from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill

ORDERS: Final = 2
LIVES: Final = 6
"""More than that it does not get."""
_WITHIN: Final = 60.0
_PROGRAM: Final = "trido.cli.till"


@frozen
class Shop:
    """How its executor passes on which directive it carries out."""

    delivery: str = "keyed"


def example() -> Shop:
    """Each charge has an id, which the bank is told."""
    return Shop()


async def run(shop: Shop) -> Figures:
    """Kill the till whenever it has charged somebody and not yet said so; start it again."""
    kills = lives = 0
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(LIVES):
            lives += 1
            if await _life(directory, shop):
                break
            kills += 1
        charges = _charges(Path(directory) / "bank")
    return {
        "kills": kills,
        "lives": lives,
        "orders": ORDERS,
        "orders that were charged twice": sum(number > 1 for number in charges.values()),
        "orders that were not charged": ORDERS - len(charges),
    }


async def _life(directory: str, shop: Shop) -> bool:
    """Start the till; kill it as soon as it has charged somebody. True if it came to an end."""
    command = [sys.executable, "-m", _PROGRAM, directory, f"{ORDERS}", shop.delivery]
    root = str(Path(trido.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    with trio.fail_after(_WITHIN):
        process = await trio.lowlevel.open_process(command, stdout=PIPE, env=environment)
        stdout: Any = process.stdout
        try:
            if await stdout.receive_some():
                process.kill()
            return await process.wait() == 0
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                await stdout.aclose()


def _charges(bank: Path) -> dict[str, int]:
    with closing(sqlite3.connect(bank)) as connection:
        rows = connection.execute("SELECT who, count(*) FROM charges GROUP BY who").fetchall()
    return dict(rows)


DRILL = Drill(
    name="kill-9",
    does="a process is killed whenever it has charged somebody, before it could say so",
    protection="a journal, and a receiver that is told the id of each directive",
    limits=(
        at_least("kills", 1),
        at_most("lives", LIVES - 1),
        at_most("orders that were charged twice", 0),
        at_most("orders that were not charged", 0),
    ),
    run=run,
    example=example,
    real_time=True,
)
