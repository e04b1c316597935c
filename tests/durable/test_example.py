"""The example that says it survives is killed, again and again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
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


def run(file: Path, seconds: float) -> str | None:
    """What it printed, if it came to its end; None if it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", QUICKLY, str(file)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), *sys.path])},
    ) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
        assert process.returncode == 0
        return said


@pytest.mark.real_time
def test_orders_are_charged_once_however_often_the_shop_is_killed(tmp_path: Path) -> None:
    file, random = tmp_path / "orders.db", Random(3)
    for _ in range(8):
        assert run(file, random.uniform(0.2, 2.5)) is None
    said = run(file, 60)
    assert said
    assert "21 orders, 21 charges" in said
    for receiver in ("bank", "warehouse"):
        db = sqlite3.connect(f"{file}-{receiver}")
        orders = [what.split()[0] for (what,) in db.execute("SELECT what FROM done")]
        db.close()
        assert sorted(orders) == sorted({f"order-{n}" for n in range(1, 22)})
