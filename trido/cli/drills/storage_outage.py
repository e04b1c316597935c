"""The disk cannot be written for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import trio
from attrs import define, evolve, frozen
from outcome import Outcome

from trido.agents import AgentError, Signal
from trido.cli.drills.judge import Figures, at_least, at_most
from trido.cli.drills.kit import Drill
from trido.journal import JournalError, MemoryJournal, Unavailable
from trido.journal.operations import Write
from trido.journal.port import Store
from trido.runtime import Agent, AgentRef, open_runtime
from trido.runtime.settings import Durability
from trido.supervision import ChildSpec, open_supervisor

OUTAGE: Final = 10.0
_PAUSE: Final = 0.1


@frozen
class Account:
    """What it remembers: one for each answered call."""

    balance: int = 0


account: Final = Agent("account", state=Account)


@account.on("pay")
def pay(state: Account, data: None) -> Account:
    """Book one."""
    return evolve(state, balance=state.balance + 1)


@define(eq=False)
class Bank:
    """An account, kept like this, and a disk that can fail."""

    durability: Durability = "sync"
    is_up: bool = True
    refused: int = 0
    answered: int = 0
    last_answer: float = 0.0

    async def pay(self, ref: AgentRef[Account]) -> None:
        """Pay again and again: each payment has an id, and is sent until it is answered."""
        number = 0
        while True:
            number += 1
            while not await self._paid(ref, number):  # noqa: ASYNC110  # it tries
                await trio.sleep(_PAUSE)
            await trio.sleep(_PAUSE)

    async def _paid(self, ref: AgentRef[Account], number: int) -> bool:
        try:
            await ref.call(Signal("pay", id=f"payment-{number}"))
        except (JournalError, AgentError):
            self.refused += 1
            return False
        self.answered += 1
        self.last_answer = trio.current_time()
        return True


class _Failing:
    """A store that cannot be written while the disk is down."""

    def __init__(self, store: Store, bank: Bank) -> None:
        self.file: str = store.file
        self.read: Any = store.read
        self.close: Any = store.close
        self._store = store
        self._bank = bank

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        """Write, or raise."""
        if not self._bank.is_up:
            raise Unavailable(self.file, "the disk is gone", "plug it in")
        return self._store.write(batch, sync=sync)


def example() -> Bank:
    """Each payment is on disk before it is answered."""
    return Bank()


async def run(bank: Bank) -> Figures:
    """Take the disk away while payments come in; give it back; then restart it all."""
    journal = MemoryJournal()
    async with open_runtime(journal=journal, agents=(account,)) as runtime:
        session: Any = runtime.env.session
        session._store = _Failing(session._store, bank)
        ref = await runtime.start_agent(account, id="account", durability=bank.durability)
        async with open_supervisor(ChildSpec(bank.pay, ref)):
            await trio.sleep(5.0)
            bank.is_up = False
            await trio.sleep(OUTAGE)
            before = bank.answered
            bank.is_up = True
            began = trio.current_time()
            await trio.sleep(60.0)
        afterwards = bank.answered - before
        silent = trio.current_time() - bank.last_answer
        state = ref.status().state
    async with open_runtime(journal=journal, agents=(account,)) as runtime:
        again = await runtime.start_agent(account, id="account", durability=bank.durability)
        await trio.sleep(1.0)
        kept = again.state().balance
    return {
        "payments that were answered": bank.answered,
        "payments that were refused during the outage": bank.refused,
        "payments that were answered afterwards": afterwards,
        "payments that were answered and forgotten": bank.answered - kept,
        "agents that do not run afterwards": int(state != "running"),
        "seconds without an answer, at the end": min(silent, trio.current_time() - began),
    }


DRILL = Drill(
    name="storage-outage",
    does=f"the disk cannot be written for {OUTAGE:g} s while payments come in",
    protection="a journal that is written before a payment is answered",
    limits=(
        at_least("payments that were answered", 1),
        at_least("payments that were refused during the outage", 1),
        at_least("payments that were answered afterwards", 1),
        at_most("payments that were answered and forgotten", 0),
        at_most("agents that do not run afterwards", 0),
        at_most("seconds without an answer, at the end", 5.0),
    ),
    run=run,
    example=example,
)
