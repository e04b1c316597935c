"""The example that says it survives is killed, again and again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from math import inf
from pathlib import Path
from random import Random
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
QUICKLY: Final = """
import sys
import order_fulfilment as shop

shop.SLOW["grinder"] = 4.0
shop.PATIENCE = 2.0
shop.trido.run(shop.main, sys.argv[1])
"""


def run(file: Path, lines: float) -> list[str]:
    """What it printed, until it was killed after so many lines, or to its end."""
    with subprocess.Popen(
        [sys.executable, "-u", "-c", QUICKLY, str(file)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), *sys.path])},
    ) as process:
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            if len(said) >= lines:
                process.kill()
                break
    assert process.returncode == (0 if lines == inf else -signal.SIGKILL)
    return said


@pytest.mark.real_time
def test_orders_are_charged_once_however_often_the_shop_is_killed(tmp_path: Path) -> None:
    file, random = tmp_path / "orders.db", Random(3)
    said = []
    for _ in range(4):  # a directive that was being done in five lives would be given up
        said += run(file, random.randrange(1, 15))
    said += run(file, inf)
    assert said[-1] == "21 orders, 21 charges\n"
    assert any(line.endswith("was charged already\n") for line in said)
    for receiver in ("bank", "warehouse"):
        db = sqlite3.connect(f"{file}-{receiver}")
        orders = [what.split()[0] for (what,) in db.execute("SELECT what FROM done")]
        db.close()
        assert sorted(orders) == sorted({f"order-{n}" for n in range(1, 22)})
