"""Actions that other processes can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from attrs import frozen

import trido


@frozen
class Work:
    """What to do."""

    number: int = 0
    path: str = ""


@frozen
class Done:
    """What was done, and where."""

    number: int
    process: int


@trido.action("jobs.square")
def square(data: Work) -> Done:
    return Done(data.number**2, os.getpid())


@trido.action("jobs.hang")
def hang(data: Work) -> None:
    """Say which process this is, and do not come back."""
    path = Path(data.path)
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    time.sleep(600.0)


def undo_hang(data: Work, error: BaseException) -> None:
    Path(data.path + ".undone").write_text(type(error).__name__)


hang_undone = trido.action("jobs.hang_undone", compensate=undo_hang)(hang.function)


@trido.action("jobs.fail", retry=trido.Retry(2, on=ConnectionError))
def fail(data: Work) -> None:
    """Fail, and leave a mark for each time."""
    with Path(data.path).open("a") as file:
        file.write("x")
    raise ConnectionError("nobody there")


@trido.action("jobs.wrong")
def wrong(data: Work) -> Done:
    return "wrong"  # type: ignore[return-value]


@trido.action("jobs.die")
def die(data: Work) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@trido.action("jobs.no")
def refuse(data: Work) -> None:
    raise trido.Reject(data.number)


@trido.action("jobs.anything")
def anything(data: Any) -> Any:
    return data
