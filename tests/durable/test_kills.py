"""Processes are killed under load, anywhere and at every crash point, and started again.

Each time, all that was acknowledged is there, once and whole, and nobody outside was told anything
twice, or anything that did not happen.

``TRIDO_KILLS=5000 pytest -o faulthandler_timeout=0 tests/durable`` kills more often, and
``TRIDO_SEED=7`` otherwise.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.durable.killing import Report, judged, lives
from tests.durable.points import POINTS

KILLS: Final = int(os.environ.get("TRIDO_KILLS", "200"))
SEED: Final = int(os.environ.get("TRIDO_SEED", "1"))
AT_ONCE: Final = 2
EACH: Final = 50
"""After so many kills others begin with new files."""


def killed(directory: Path, seed: int) -> Report:
    directory.mkdir()
    report = Report()
    judged(directory, lives(directory, EACH, Random(seed), report), report)
    return report


@pytest.mark.real_time
@pytest.mark.parametrize("seed", range(SEED, SEED + -(-KILLS // EACH), AT_ONCE))
def test_whatever_is_killed_wherever_nothing_is_lost_and_nothing_happens_twice(
    tmp_path: Path, seed: int
) -> None:
    seeds = range(seed, seed + AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reports = list(pool.map(killed, [tmp_path / f"{one}" for one in seeds], seeds))
    for report in reports:
        assert not report.findings
        assert report.kills >= EACH
        assert report.at.keys() >= POINTS.keys()
        # What is to be survived has happened.
        assert report.counts["answers"] > EACH
        assert report.counts["charged again"] > 0
        assert report.counts["unknown"] > 0
