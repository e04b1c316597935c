"""Where agents work: handlers, executors, actions. What they see, the ledger is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import trio
from attrs import evolve

import trido
from tests.faults import orders
from tests.faults.ledger import Ledger
from tests.faults.orders import Book, Job, Order
from tests.faults.records import Account, Parcel
from tests.faults.roles import Role

BAD: Final = ("breaks its state", "asks for what nobody does")
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
ASKING: Final = 6.0
"""How long an agent that asks another waits for the answer."""

SEEN: Counter[str] = Counter()
"""What has happened, over all runs."""


class Crash(Exception):
    """A crash that was ordered."""


class Desks:
    """What the agents of one runtime are made of."""

    rt: trido.Runtime

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.faults: list[BaseException] = []
        self.names = 0

    def find(self, id: str) -> Any:
        return self.rt.find(id)

    def now(self) -> datetime:
        return START + timedelta(seconds=trio.current_time())

    @contextmanager
    def noticing(self) -> Generator[None]:
        """Keep what must not be: the runtime would take it for a crash."""
        try:
            yield
        except Exception as error:
            self.faults.append(error)
            SEEN["faults"] += 1
            raise

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    async def send(self, how: str, ref: Any, order: Order, sender: Any) -> None:
        """Send it, and tell the ledger what becomes of it."""
        raise NotImplementedError

    # Handlers -------------------------------------------------------------------------------

    def whose(self, id: str) -> Account:
        return self.ledger.account(self.find(id).place)

    def serve(self, book: Book, order: Order, turn: trido.Turn) -> Any:
        """A turn whose handler is a plain function."""
        with self.attempt(order, turn) as (parcel, name):
            self.maybe_crash(parcel, order)
            return self.decided(book, order, turn, name)

    async def serve_slowly(self, book: Book, order: Order, turn: trido.Turn) -> Any:
        """A turn whose handler awaits; it may crash when one of its awaits is over."""
        with self.attempt(order, turn) as (parcel, name):
            for index, wait in enumerate(order.waits):
                await self.wait(wait, turn)
                if index == min(order.at, len(order.waits) - 1):
                    self.maybe_crash(parcel, order)
            return self.decided(book, order, turn, name)

    async def wait(self, wait: Any, turn: trido.Turn) -> None:
        if not isinstance(wait, orders.Ask):
            await trio.sleep(wait)
            return
        ref = self.find(wait.to)
        if ref is not None:
            with trio.move_on_after(ASKING):
                await self.send("ask", ref, wait.order, object())

    def maybe_crash(self, parcel: Parcel, order: Order) -> None:
        if parcel.crashes < order.crashes:
            SEEN["crash"] += 1
            raise Crash(parcel.name)

    def decided(self, book: Book, order: Order, turn: trido.Turn, name: str) -> Any:
        self.count_bad_decision(order, turn)
        return orders.decide(book, order, name, turn.request)

    def count_bad_decision(self, order: Order, turn: trido.Turn) -> None:
        """One that crashes its agent; unless somebody interrupts the turn in this very moment."""
        if order.how in BAD:
            SEEN[order.how] += 1
            self.whose(turn.agent_id).crashes += 1

    @contextmanager
    def attempt(self, order: Order, turn: trido.Turn) -> Generator[tuple[Parcel, str]]:
        account, ledger = self.whose(turn.agent_id), self.ledger
        name = self.name_in(order, turn)
        with self.noticing():
            attempt = ledger.begin(account, name, self.find(turn.agent_id).incarnation, self.now())
            attempt.request = turn.request
        how = "returned"
        try:
            yield ledger.parcels[name], name
        except Crash:
            how = "crashed"
            raise
        except trido.Reject:
            how = "rejected"
            raise
        except trio.Cancelled:
            how = "cancelled"
            raise
        finally:
            ledger.over(account, attempt, how, self.now())

    def name_in(self, order: Order, turn: trido.Turn) -> str:
        if turn.signal.type == "news.do":
            return f"{order.name}>{turn.agent_id}"
        if turn.planned is not None:
            return f"{order.name}@{turn.planned.isoformat()}"
        return order.name

    # Runs -----------------------------------------------------------------------------------

    def begin_run(self, role: Role, id: str) -> None:
        if self.find(id).incarnation in role.bad_starts:
            self.crashed(id, "starting")

    def crashed(self, id: str, where: str) -> None:
        """It does now, in code around its turns."""
        SEEN[f"crash {where}"] += 1
        ref = self.find(id)
        account = self.ledger.account(ref.place)
        self.ledger.crashed(account, ref.incarnation, self.now())
        raise Crash(where)

    @contextmanager
    def lifespan(self, ref: Any) -> Generator[None]:
        account, run = self.ledger.account(ref.place), ref.incarnation
        account.alive.append(run)
        try:
            yield
        finally:
            account.alive.remove(run)
            with self.noticing():
                assert not account.serving, f"{account}: its lifespan is over in a turn"

    # Executors and actions ------------------------------------------------------------------

    async def charge(self, directive: orders.Charge) -> None:
        await self.run_errand("charge", directive.job)

    async def post(self, signal: trido.Signal) -> None:
        await self.run_errand("post", signal.data)

    async def run_errand(self, lane: str, job: Job) -> None:
        SEEN["errand"] += 1
        with self.noticing():
            task = self.ledger.errand_begins(lane, job.name)
        how = "cancelled"
        try:
            await trio.sleep(job.delay)
            how = "failed" if job.fails else "done"
        finally:
            task.ended.append(how)
        if job.fails:
            raise Crash(job.name)

    async def run_action(self, job: Job) -> Order:
        SEEN["run"] += 1
        account, _ = self.ledger.tasks[job.name]
        with self.noticing():
            task = self.ledger.work_begins(job.name, account.incarnation)
        how = "cancelled"
        try:
            await trio.sleep(job.delay)
            how = "failed" if job.fails else "done"
        finally:
            with self.noticing():
                self.ledger.work_is_done(task, job.name, job.then, how)
        if job.fails:
            raise Crash(job.name)
        return evolve(job.then, name=f"{job.name}.ok")

    def directive_failed(self, error: trido.DirectiveFailed, verdict: str) -> str:
        SEEN["on_error"] += 1
        with self.noticing():
            self.ledger.failed(error.directive)
        ref = self.find(error.id)
        if ref is not None and verdict == "stop":
            account = self.ledger.account(ref.place)
            account.asked_to_end = min(account.asked_to_end, trio.current_time())
        return verdict
