"""The judge can fail: what is planted is found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from tests.durable.faults import FAULTS
from tests.durable.killing import PATIENCE, Report, judged
from tests.durable.life import Life

PLANTED: Final = {
    "acknowledges before it writes": ("a call, acknowledged", "is not there|has changed|is gone"),
    "forgets what it consumed": ("", "was applied twice"),
    "loses directives": ("", "wanted"),
    "loses timers": ("", "timers"),
    "writes another state": ("", "decided"),
    "does not say what it started": ("a notice, after", "not said to be started"),
    "the receiver forgets ids": ("a charge, after", "was charged 2 times"),
    "the receiver is given other ids": ("a charge, after", "was charged 2 times"),
    "the receiver does nothing": ("", "was never made"),
}
"""Where a process is to die for it, and what the judge says."""


def lives(directory: Path, fault: str, at: str) -> Iterator[Life]:
    for number in range(6):
        life = Life(directory=str(directory), number=number, fault=fault, at=at, nth=3 + number)
        yield evolve(life, leaves=0.5, seconds=5.0)
    yield Life(directory=str(directory), number=6, fault=fault, last=True, seconds=PATIENCE)


@pytest.mark.real_time
@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {""}))
def test_what_is_planted_is_found(fault: str, tmp_path: Path) -> None:
    at, said = PLANTED[fault]
    report = Report()
    judged(tmp_path, lives(tmp_path, fault, at), report)
    assert report.findings
    assert re.search(said, "\n".join(report.findings)), report.findings


@pytest.mark.real_time
def test_nothing_is_found_where_nothing_is_planted(tmp_path: Path) -> None:
    report = Report()
    judged(tmp_path, lives(tmp_path, "", "a charge, after"), report)
    assert not report.findings
    assert report.kills == 6
