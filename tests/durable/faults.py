"""Faults that are planted in the child, to see that the judge finds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final, TypeAlias, final
from uuid import uuid4

from attrs import evolve, field, frozen
from outcome import Outcome, Value

from trido.journal.operations import Claim, Commit, Mark, Write
from trido.journal.port import Store

MANY: Final = 20
Change: TypeAlias = Callable[[Write[Any]], Write[Any]]


@final
@frozen(kw_only=True)
class Faults:
    """What is wrong: by default nothing."""

    wrong_store: Callable[[Store], Store] = field(default=lambda store: store)
    id: Callable[[str], str] = str
    """The id that the keyed receiver is given."""
    swallows: Callable[[str], bool] = field(default=lambda turn: False)
    """Whether the receiver only says that it has done it."""
    forgets: bool = False
    """Whether the receiver forgets the ids it has seen."""

    def store(self, store: Store) -> Store:
        return self.wrong_store(store)


class _Wrong:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.file = store.file
        self.read = store.read
        self.close = store.close


@final
class Hasty(_Wrong):
    """It says that something is written, and writes it when there is more of it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.late: list[Write[Any]] = []

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        is_new = any(isinstance(write, Claim) for write in batch)
        if len(self.late) < MANY and not is_new:
            self.late += batch
            return [Value(None) for _ in batch]
        late, self.late = self.late, []
        return self.store.write([*late, *batch], sync=sync)[len(late) :]


@final
class Changing(_Wrong):
    """It writes something else."""

    def __init__(self, store: Store, change: Change) -> None:
        super().__init__(store)
        self.change = change

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        return self.store.write([self.change(write) for write in batch], sync=sync)


def store_that(change: Callable[[Commit], Commit]) -> Faults:
    """Does so to each fifth turn, once there are a few."""
    turns = count()

    def changed(write: Write[Any]) -> Write[Any]:
        if isinstance(write, Commit) and next(turns) % 5 == 4:
            return change(write)
        return write

    return Faults(wrong_store=lambda store: Changing(store, changed))


def without_input(commit: Commit) -> Commit:
    return evolve(commit, consumes=None)


def without_directives(commit: Commit) -> Commit:
    return evolve(commit, directives=())


def without_timers(commit: Commit) -> Commit:
    return evolve(commit, timers=())


def with_another_state(commit: Commit) -> Commit:
    state = {name: b"7777" if data.isdigit() else data for name, data in commit.state.items()}
    return evolve(commit, state=state)


def without_start(write: Write[Any]) -> Write[Any]:
    if isinstance(write, Mark) and write.status == "started":
        return evolve(write, status="pending")
    return write


FAULTS: Final[dict[str, Faults]] = {
    "": Faults(),
    "acknowledges before it writes": Faults(wrong_store=Hasty),
    "forgets what it consumed": store_that(without_input),
    "loses directives": store_that(without_directives),
    "loses timers": store_that(without_timers),
    "writes another state": store_that(with_another_state),
    "does not say what it started": Faults(wrong_store=lambda one: Changing(one, without_start)),
    "the receiver forgets ids": Faults(forgets=True),
    "the receiver is given other ids": Faults(id=lambda _: f"{uuid4()}"),
    "the receiver does nothing": Faults(swallows=lambda turn: turn.endswith("7")),
}
