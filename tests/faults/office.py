"""A real runtime full of agents in one guest run, with a ledger of all that they do."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import trio

import trido
from tests.faults import audit, orders
from tests.faults.desks import SEEN
from tests.faults.orders import WORKSHOP, Book
from tests.faults.outside import Outside
from tests.faults.roles import APPRENTICE, Role, agent_of
from trido.runtime.place import AgentPlace
from trido.testing.guest import GuestRun

BASE_TASKS: Final = 4
LOOK_EACH: Final = 30
"""After so many runs, see if something keeps their agents in memory; it takes a while."""
COMMIT: Final = AgentPlace.commit
EARLIER: Final[set[int]] = set()
"""Which agents of other tests were in memory before: not ours to judge."""


class Steps(trio.abc.Instrument):
    """Does something once so many task steps have been taken."""

    def __init__(self) -> None:
        self._due: list[list[Any]] = []

    def after(self, steps: int, do: Callable[[], object]) -> None:
        self._due.append([steps, do])

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        for one in self._due:
            one[0] -= 1
            if not one[0]:
                one[1]()
        self._due = [one for one in self._due if one[0] > 0]


class Office(Outside):
    """One runtime in one run."""

    def __init__(self, roles: dict[str, Role], seed: int) -> None:
        super().__init__()
        self.ledger.roles.update(roles)
        self.monitors: list[audit.Watched] = []
        self.witnesses: list[audit.Witness] = []
        self.steps = Steps()
        self.over = self.has_ended = False
        self.apprentice = agent_of(APPRENTICE, self)
        WORKSHOP[:] = [self]
        self.run = GuestRun(self.main, seed=seed)
        for id in roles:
            self.do(partial(self.start_soon, self.start_agent, id))

    async def main(self) -> None:
        self.body, self.curtain = trio.Event(), trio.Event()
        trio.lowlevel.add_instrument(self.steps)
        async with trio.open_nursery() as self.nursery:
            async with trido.open_runtime(
                executors={orders.Charge: self.charge},
                dispatch={"post": self.post},
                clock=self.now,
            ) as self.rt:
                await self.body.wait()
            self.over = True
            self.tasks = trio.lowlevel.current_statistics().tasks_living
            self.tasks -= len(self.nursery.child_tasks)
            await self.curtain.wait()

    # What the machine asks ------------------------------------------------------------------

    def do(self, fn: Callable[[], object], *, ticks: int = 0) -> None:
        if ticks:
            self.run.do(partial(self.guarded, fn), ticks=ticks)
            self.check()
        else:
            self.run.do(partial(self.guarded, fn))
            self.at_rest()

    def guarded(self, fn: Callable[[], object]) -> None:
        with suppress(Exception), self.noticing():
            fn()

    def sleep(self, seconds: float) -> None:
        """Let time pass, and look around at whatever is due on the way."""
        self.do(lambda: None)
        self.run.sleep(seconds, self.at_rest)

    def check(self) -> None:
        for fault in self.faults:
            raise fault
        assert self.run.result is None, self.run.result
        self.run.do(partial(self.guarded, self.read_letters), ticks=0)

    def at_rest(self) -> None:
        self.run.do(partial(self.guarded, self.look))
        for fault in self.faults:
            raise fault
        assert self.run.result is None, self.run.result

    def look(self) -> None:
        self.read_letters()
        audit.at_rest(self)

    def read_letters(self) -> None:
        """Hear of what nobody will serve."""
        ledger = self.ledger
        for place in list(ledger.accounts):
            ledger.account(place)
        for letter in list(self.rt.dead_letters)[ledger.letters :]:
            ledger.letters += 1
            SEEN[f"letter: {type(letter.reason).__name__}"] += 1
            ledger.lettered(letter, self.now())
        assert self.rt.dead_letters.total == ledger.letters

    # The end --------------------------------------------------------------------------------

    def end(self) -> None:
        """Wait until everything is done, stop, and look at what is left."""
        self.has_ended = True
        try:
            if self.faults:
                return
            self.rest()
            self.do_last(audit.when_calm)
            self.do(self.close)
            for _ in range(200):
                if self.over:
                    break
                self.sleep(0.5)
            assert self.over, "it does not stop"
            self.do_last(audit.when_over)
        finally:
            self.shut()
            self.ledger.accounts.clear()
        self.nothing_is_left()

    def close(self) -> None:
        self.ledger.closing = True
        for account in self.ledger.accounts.values():
            account.asked_to_end = min(account.asked_to_end, trio.current_time())
        self.body.set()

    def shut(self) -> None:
        """Whatever has gone wrong, leave no run behind."""
        if self.run.result is None:
            self.run.do(self.curtain_falls)
        for _ in range(100):
            if self.run.result is None:
                self.run.sleep(1.0)
        self.run.close(lambda: None)

    def curtain_falls(self) -> None:
        self.body.set()
        self.curtain.set()
        self.nursery.cancel_scope.cancel(reason="the test is over")

    def do_last(self, check: Callable[[Office], object]) -> None:
        self.run.do(partial(self.guarded, partial(check, self)))
        for fault in self.faults:
            raise fault

    def rest(self) -> None:
        """Wait until nobody has anything left to do."""
        for _ in range(150):
            self.sleep(3.5)
            if not audit.unsettled(self):
                return
        raise AssertionError(f"never settled: {audit.unsettled(self)}")

    def nothing_is_left(self) -> None:
        # Trio's own two, the run's main one, and whoever does what a test says.
        assert self.tasks <= BASE_TASKS, f"{self.tasks - BASE_TASKS} tasks are left"
        SEEN["office"] += 1
        self.monitors.clear()
        self.witnesses.clear()
        self.steps = Steps()
        del self.rt
        # What has failed keeps its own, in the tracebacks.
        if SEEN["office"] % LOOK_EACH == 0 and not SEEN["faults"]:
            assert not in_memory(), f"{in_memory()} are kept"

    @classmethod
    def commit(cls, place: Any, state: Book) -> None:
        """Stands in for `AgentPlace.commit`."""
        COMMIT(place, state)
        SEEN["committed"] += 1
        office = WORKSHOP[-1]
        with office.noticing():
            office.ledger.committed(place, state, office.now())


def note_earlier() -> None:
    """Whatever agents are in memory now are left out of account from now on."""
    gc.collect()
    EARLIER.update(id(one) for one in gc.get_objects() if type(one) is AgentPlace)


def in_memory() -> list[str]:
    """The agents that something keeps."""
    gc.collect()
    places = [one for one in gc.get_objects() if type(one) is AgentPlace]
    return [one.id for one in places if id(one) not in EARLIER]
