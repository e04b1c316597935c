"""What the model of a runtime keeps of each agent and of each signal."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from attrs import Factory, define

from tests.faults.orders import Book, Order
from tests.faults.roles import PLAIN, Role


@define(eq=False)
class Attempt:
    """One time that a handler was given a signal."""

    account: Account
    incarnation: int
    request: str | None = None
    how: str = ""
    """``crashed``, ``rejected``, ``cancelled``, ``returned``; nothing while it goes on."""


@define(eq=False)
class Parcel:
    """A signal to one receiver, and what became of it."""

    name: str
    how: str
    """How it was sent: by ``call``, ``ask`` (a call in a turn), ``cast``, ``nowait``, ``emit``,
    ``news``, ``timer`` or ``run``."""
    order: Order
    sender: Any = None
    number: int = 0
    """It comes after those of its sender that have lower ones."""
    fates: list[str] = Factory(list)
    """What became of it; in the end, one thing."""
    outcomes: list[str] = Factory(list)
    """What its caller was told; in the end, one thing."""
    attempts: list[Attempt] = Factory(list)
    account: Account | None = None
    """Whom it is for, once that is known."""
    arrived: bool = False
    """It is in a mailbox, for all that its sender can tell."""
    lost: bool = False
    """It was in a mailbox that was not to be kept."""
    cancelled_at: float = math.nan
    answer: str = ""
    """What a later turn says to its caller, if that still waits."""

    def __repr__(self) -> str:
        told = f" -> {self.outcomes}" * bool(self.outcomes)
        tried = [one.how for one in self.attempts]
        return f"<{self.how} {self.order!r} as {self.name}: {tried} {self.fates}{told}>"

    @property
    def is_call(self) -> bool:
        return self.how in ("call", "ask")

    @property
    def crashes(self) -> int:
        return sum(one.how == "crashed" for one in self.attempts)

    @property
    def is_committed(self) -> bool:
        return "committed" in self.fates


@define(eq=False)
class Timer:
    """A timer that a turn has set."""

    name: str
    key: str | None
    due: datetime | None
    """None: it fires each minute."""
    set_at: datetime
    set_in: int
    """In this run."""
    gone: bool = False
    """It was cancelled or replaced: nothing of it is begun any more."""
    dropped_at: datetime | None = None
    """A new run began without it."""
    fired: bool = False


@define(eq=False)
class Task:
    """What an executor or an action is to do."""

    name: str
    fails: bool
    begun: int = 0
    ended: list[str] = Factory(list)
    """``done``, ``failed`` or ``cancelled``, each time."""
    reported: list[str] = Factory(list)
    """The letters and errors that tell of it."""
    committed_in: int = 0
    tells: bool = False
    once: bool = False


@define(eq=False)
class News:
    """Something that was published."""

    name: str
    order: Order
    publisher: Account
    number: int
    wanted: list[Account]
    """Who had subscribed by then."""
    lettered: bool = False


@define(eq=False)
class Account:
    """What the model knows of one agent."""

    id: str
    role: Role = PLAIN
    parent: Account | None = None
    book: Book = Factory(Book)
    """Its state, folded from the turns it has accepted."""
    revision: int = 0
    incarnation: int = 0
    """The number of the latest run that has committed something."""
    latest: int = 0
    """The number of its latest run."""
    first: int = 1
    """The number of its first run, at most one more for each that came to nothing."""
    commits: list[tuple[int, str]] = Factory(list)
    """By revision."""
    serving: str = ""
    """What a handler is busy with."""
    alive: list[int] = Factory(list)
    """Whose lifespans are entered."""
    crashed: set[int] = Factory(set)
    """The runs in which something was raised that is a crash."""
    crashes: int = 0
    revived: int = 0
    ever_parked: bool = False
    asked_to_end: float = math.inf
    ended: bool = False
    last: dict[Any, int] = Factory(dict)
    """The number of the latest parcel it has accepted, by sender."""
    lanes: dict[str, list[Task]] = Factory(dict)
    timers: dict[str, Timer] = Factory(dict)
    jobs: dict[str, Task] = Factory(dict)
    deferred: dict[str, Parcel] = Factory(dict)
    replies: int = 0
    """How many it gave to requests."""
    heard: int = 0
    """How many of them somebody got."""
    watches: dict[str, int] = Factory(dict)
    downs: dict[tuple[str, str], int] = Factory(dict)
    spawned: dict[str, int] = Factory(dict)
    """Its children by tag, and in which run they were spawned; a dismissed one is not there."""
    owed: set[str] = Factory(set)
    """Children that it has committed to spawn, and maybe not come to yet."""

    def __repr__(self) -> str:
        return f"<{self.id} run {self.incarnation} revision {self.revision}>"

    @property
    def is_fresh(self) -> bool:
        """Whether each run begins anew."""
        return bool(self.role.recover == "fresh")

    def crash(self, incarnation: int) -> None:
        self.crashed.add(incarnation)
        self.crashes += 1
