"""What a drill is: data, and a function that measures. And how one is carried out."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

import trio
from attrs import frozen
from trio.testing import MockClock

from trido.cli.drills.judge import Figures, Limit, Verdict, judge
from trido.cli.load import UserError, said
from trido.supervision import run

PATIENCE: Final = 120.0
"""Seconds after which a drill is given up. Most of them pass in virtual time."""
_SILENCE: Final = logging.NullHandler()


@frozen(kw_only=True)
class Drill:
    """A failure that is brought about, and what has to hold all the same."""

    name: str
    does: str
    """What happens, in a line."""
    protection: str
    """What keeps it from doing harm, in a few words."""
    limits: tuple[Limit, ...]
    run: Callable[[Any], Awaitable[Figures]]
    """Brings it about under the subject, and measures."""
    example: Callable[[], Any]
    """The subject that it is shown on. Called in the event loop."""
    takes_apps: bool = False
    """Whether one's own app can be the subject."""
    real_time: bool = False
    """Whether the example needs the real clock."""


class Terminated(Exception):
    """SIGTERM came before the drill was done: there is no verdict."""


def carry_out(drill: Drill, subject: Callable[[], Any] | None = None) -> Verdict:
    """Carry a drill out, on its example or on what ``subject`` gives.

    The example runs in virtual time, if it can; an app of one's own in real time.

    Raises:
      UserError: ``subject`` is not what the drill can be carried out on.
      Terminated: it was stopped by SIGTERM.
    """
    figures: dict[str, float] = {}
    is_done = False
    is_virtual = subject is None and not drill.real_time
    clock = MockClock(autojump_threshold=0) if is_virtual else None

    async def main() -> None:
        nonlocal is_done
        with trio.fail_after(PATIENCE if clock is None else math.inf):
            figures.update(await drill.run((subject or drill.example)()))
        is_done = True

    with silence():
        trouble = _trouble(main, clock)
    if not is_done and trouble is None:  # `run` was told to stop
        raise Terminated
    return judge(drill.name, drill.limits, figures, trouble)


def _trouble(main: Callable[[], Awaitable[None]], clock: MockClock | None) -> str | None:
    try:
        run(main, **({} if clock is None else {"clock": clock}))
    except UserError:
        raise
    except Exception as error:
        return said(error)
    return None


@contextmanager
def silence() -> Generator[None]:
    """Keep off the terminal what the log has to say of crashes that are brought about."""
    log = logging.getLogger("trido")
    propagates, log.propagate = log.propagate, False
    log.addHandler(_SILENCE)
    try:
        yield
    finally:
        log.removeHandler(_SILENCE)
        log.propagate = propagates
