"""Crash points: places in the child that have a name, where it can be killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any, Final, final

from outcome import Outcome

from tests.journal.disk import Disk
from trido.journal.operations import Claim, Commit, Mark, Write
from trido.journal.port import Store

ACTS: Final = {Claim: "claim", Commit: "commit", Mark: "mark"}

POINTS: Final = {
    **{f"before a {act}": 6 if act == "claim" else 50 for act in ACTS.values()},
    **{f"after a {act}": 6 if act == "claim" else 50 for act in ACTS.values()},
    "in SQLite, before a write": 200,
    "in SQLite, before a sync": 50,
    "on_start": 3,
    "on_stop": 3,
    "a decision": 20,
    "an effectful turn": 2,
    "an action": 3,
    "a charge, before": 20,
    "a charge, half of it written": 20,
    "a charge, not yet synced": 20,
    "a charge, after": 20,
    "a notice, before": 5,
    "a notice, half of it written": 5,
    "a notice, not yet synced": 5,
    "a notice, after": 5,
    "a call, before": 20,
    "a call, answered": 20,
    "a call, acknowledged": 20,
    "the runtime, open": 1,
    "an agent, started": 6,
    "the runtime, about to close": 1,
    "the runtime, closed": 1,
}
"""What they are called, and how often one life comes there at least, or nearly always."""


@final
class Points:
    """Kills this process when it comes to one of them for the nth time."""

    def __init__(self, at: str = "", nth: int = 1) -> None:
        self.at = at
        self.left = nth

    def __call__(self, name: str) -> None:
        if name == self.at:
            self.left -= 1
            if self.left == 0:
                os.write(1, name.encode())
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, disk: Disk) -> None:
        """Also those on the way to the disk."""

        def fails(operation: str, _: str) -> None:
            self(f"in SQLite, before a {operation}")

        disk.fails = fails


@final
class Watched:
    """A store with crash points before and after each kind of write."""

    def __init__(self, store: Store, points: Points) -> None:
        self._store = store
        self._points = points
        self.file = store.file
        self.read = store.read
        self.close = store.close

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        acts = {ACTS[type(write)] for write in batch if type(write) in ACTS}
        for act in acts:
            self._points(f"before a {act}")
        outcomes = self._store.write(batch, sync=sync)
        for act in acts:
            self._points(f"after a {act}")
        return outcomes
