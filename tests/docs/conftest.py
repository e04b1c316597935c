"""What is written for readers to run is run as they would run it, but in virtual time."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """`trio.run` takes a clock that jumps to the next deadline, unless it is given one."""
    run = trio.run

    def run_in_virtual_time(*args: Any, **options: Any) -> Any:
        return run(*args, **{"clock": MockClock(autojump_threshold=0), **options})

    monkeypatch.setattr(trio, "run", run_in_virtual_time)


@pytest.fixture(autouse=True)
def log_again() -> Iterator[None]:
    """Some turn the log off, to show something else."""
    yield
    logging.getLogger("trido").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def empty_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For those that write a file."""
    monkeypatch.chdir(tmp_path)
