"""The model of a runtime, first part: what is to be done once a turn is committed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import trio

from tests.faults import orders
from tests.faults.names import name_of_directive
from tests.faults.orders import Book, Order
from tests.faults.records import Account, News, Parcel, Task, Timer
from tests.faults.roles import Role


class Duties:
    """What agents have committed to do."""

    def __init__(self) -> None:
        self.parcels: dict[str, Parcel] = {}
        self.accounts: dict[Any, Account] = {}
        """By the agents' places: an id may be that of several, one after the other."""
        self.news: dict[str, News] = {}
        self.timers: dict[str, Timer] = {}
        self.timed: dict[str, tuple[Account, Order]] = {}
        """Whose timer it is, and what it orders."""
        self.tasks: dict[str, tuple[Account, Task]] = {}
        self.letters = 0
        """How many dead letters have been read."""
        self.roles: dict[str, Role] = {}
        self.number = 0
        self.closing = False

    def next_number(self) -> int:
        self.number += 1
        return self.number

    # Signals are sent -----------------------------------------------------------------------

    def sent(self, name: str, how: str, order: Order, sender: Any) -> Parcel:
        assert name not in self.parcels, f"{name} is sent twice"
        parcel = Parcel(name, how, order, sender, self.next_number())
        self.parcels[name] = parcel
        return parcel

    def due(  # noqa: C901, PLR0912  # a table
        self, account: Account, name: str, order: Order, base: Book, now: datetime
    ) -> None:
        """What is to be done now."""
        requests = list(base.requests)
        parcel = self.parcels.get(name)
        for index, deed in enumerate(order.deeds):
            child = f"{name}.{index}"
            match deed:
                case orders.Send(order=sent):
                    self.sent(child, "emit", sent, account)
                case orders.News(order=sent):
                    wanted = [one for one in self.accounts.values() if self.listens(one)]
                    number = self.next_number()
                    self.news[child] = News(child, sent, account, number, wanted)
                case orders.Errand(lane=lane, fails=fails):
                    task = Task(child, fails, committed_in=account.incarnation)
                    account.lanes.setdefault(lane, []).append(task)
                    self.tasks[child] = account, task
                case orders.Work():
                    self.work_is_due(account, child, deed)
                case orders.Later() | orders.EachMinute():
                    self.timer_is_set(account, child, deed, now)
                case orders.Forget(key=key):
                    self.forget(account, key)
                case orders.Defer() if parcel is not None and parcel.is_call:
                    request = parcel.attempts[-1].request or ""
                    requests.append(request)
                    account.deferred[request] = parcel
                case orders.Answer() if requests:
                    self.reply(account, requests.pop(0), f"answer {child}")
                case orders.Spawn(tag=tag):
                    account.spawned.setdefault(tag, account.incarnation)
                    account.owed.add(tag)
                case orders.Dismiss(tag=tag):
                    account.spawned.pop(tag, None)
                case orders.Watch(id=id):
                    account.watches[id] = account.watches.get(id, 0) + 1
                case orders.Quit():
                    account.asked_to_end = min(account.asked_to_end, trio.current_time())

    def listens(self, account: Account) -> bool:
        return account.role.subscribes and not account.ended

    def reply(self, account: Account, request: str, answer: str) -> None:
        account.replies += 1
        parcel = account.deferred.pop(request, None)
        if parcel is not None and not parcel.outcomes:
            parcel.answer = answer

    def work_is_due(self, account: Account, name: str, work: orders.Work) -> None:
        task = Task(name, work.fails, tells=work.told, once=work.once)
        task.committed_in = account.incarnation
        account.jobs[name] = task
        self.tasks[name] = account, task

    def timer_is_set(self, account: Account, name: str, deed: Any, now: datetime) -> None:
        due = None
        if isinstance(deed, orders.Later):
            due = now + timedelta(seconds=deed.after)
        if deed.key is not None:
            self.forget(account, deed.key)
        timer = Timer(name, deed.key, due, now, account.incarnation)
        self.timers[name] = account.timers[deed.key or name] = timer
        self.timed[name] = account, deed.order

    def forget(self, account: Account, key: str) -> None:
        timer = account.timers.pop(key, None)
        if timer is None:
            return
        timer.gone = True
        for parcel in self.parcels.values():
            mine = parcel.how == "timer" and parcel.name.rpartition("@")[0] == timer.name
            if mine and not parcel.fates and not parcel.attempts:
                parcel.fates.append("withdrawn")

    # Executors and actions ------------------------------------------------------------------

    def errand_begins(self, lane: str, name: str) -> Task:
        account, task = self.tasks[name]
        before = account.lanes[lane][: account.lanes[lane].index(task)]
        assert not task.begun, f"{name} is carried out twice"
        assert not task.reported, f"{name} was given up, and is carried out"
        late = [one.name for one in before if not one.ended and not one.reported]
        assert not late, f"{name} is carried out before {late}"
        task.begun += 1
        return task

    def work_begins(self, name: str, incarnation: int) -> Task:
        account, task = self.tasks[name]
        assert task.begun == len(task.ended), f"{name} is run twice at once"
        assert not task.reported, f"{name} was given up, and is run"
        assert not (task.once and task.begun), f"{name} may not be run again"
        again = task.begun and account.is_fresh
        assert not again, f"{name} was to be forgotten"
        task.begun += 1
        flying = [one for one in account.jobs.values() if one.begun > len(one.ended)]
        assert len(flying) <= account.role.runs, f"{account} runs too many at once: {flying}"
        return task

    def work_is_done(self, task: Task, name: str, order: Order, how: str) -> None:
        task.ended.append(how)
        if task.tells and how != "cancelled":
            end = "ok" if how == "done" else "error"
            if f"{name}.{end}" not in self.parcels:
                told = order if how == "done" else Order()
                self.parcels[f"{name}.{end}"] = Parcel(f"{name}.{end}", "run", told)

    def failed(self, directive: Any) -> None:
        """Its agent was told that it failed."""
        name = name_of_directive(directive)
        if name in self.tasks:
            _, task = self.tasks[name]
            task.reported.append("error")
            assert task.ended[-1:] == ["failed"], f"{name} is said to have failed: {task}"
            assert task.reported == ["error"], f"{name} is reported twice"
