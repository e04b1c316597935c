"""The model of a runtime, second part: what senders are told, and what turns come to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import trio

from tests.faults import orders
from tests.faults.duties import Duties
from tests.faults.names import CAPACITY, ERRANDS, is_deferred
from tests.faults.orders import Book, Order
from tests.faults.records import Account, Attempt, Parcel, Timer
from tests.faults.roles import APPRENTICE


class Turns(Duties):
    """What has become of signals that were served, or refused."""

    # Who is who -----------------------------------------------------------------------------

    def account(self, place: Any) -> Account:
        account = self.accounts.get(place)
        if account is None:
            role = APPRENTICE if "/" in place.id else self.roles[place.id]
            parent = None if place.kin is None else self.account(place.kin.parent)
            account = Account(place.id, role, parent)
            before = self.known(place.id)[-1:]
            if parent is not None and before and place.incarnation > 1:
                # A child of the last run of its parent counts on.
                account.revision, account.first = before[0].revision, before[0].latest + 1
            self.accounts[place] = account
        account.latest = place.status().incarnation
        account.ended = account.ended or place.has_ended
        account.ever_parked = account.ever_parked or place.life == "parked"
        return account

    def known(self, id: str) -> list[Account]:
        return [one for one in self.accounts.values() if one.id == id]

    # Signals are sent -----------------------------------------------------------------------

    def refused(self, parcel: Parcel, error: BaseException) -> None:
        """Its sender was told no."""
        kind = type(error).__name__
        if parcel.is_call:
            parcel.outcomes.append(kind)
        if parcel.is_committed:
            assert is_deferred(parcel), f"{parcel} was committed, and its caller told {error!r}"
            assert kind in ("AgentCrashed", "AgentStopped", "AgentParked"), f"{parcel}: {error!r}"
        else:
            self.settle(parcel, kind)
        if parcel.attempts:
            self.check_why(parcel, kind)

    def cancelled(self, parcel: Parcel) -> None:
        """Its sender was cancelled."""
        parcel.cancelled_at = trio.current_time()
        if parcel.is_call:
            parcel.outcomes.append("cancelled")
        if not parcel.is_committed:
            parcel.fates.append("cancelled")
        else:
            assert is_deferred(parcel) or parcel.order.finishes, (
                f"{parcel} was cancelled: it happened"
            )

    def answered(self, parcel: Parcel, value: Any) -> None:
        """Its caller has the answer."""
        parcel.outcomes.append("answered")
        assert parcel.is_committed, f"{parcel} is answered, and was not committed"
        said = next(
            (index for index, one in enumerate(parcel.order.deeds) if one == orders.Say()), None
        )
        if said is not None:
            assert value == f"said {parcel.name}.{said}", f"{parcel} is told {value!r}"
        elif is_deferred(parcel):
            assert parcel.answer != "", f"{parcel} is told {value!r}, out of the blue"
            assert value == parcel.answer, f"{parcel} is told {value!r}"
            assert parcel.account is not None
            parcel.account.heard += 1
        else:
            assert isinstance(value, Book), f"{parcel} is told {value!r}"
            assert value.done[-1] == parcel.name, f"{parcel} is told of {value!r}"

    def settle(self, parcel: Parcel, fate: str) -> None:
        parcel.fates.append(fate)
        wanted = 2 if parcel.order.finishes and parcel.fates[0] == "cancelled" else 1
        assert len(parcel.fates) <= wanted, f"{parcel} came to several ends"

    # Turns ----------------------------------------------------------------------------------

    def begin(self, account: Account, name: str, incarnation: int, now: datetime) -> Attempt:
        """A handler is given it."""
        parcel = self.find(name, account, now)
        # Its handler may be about to be called as its caller is cancelled.
        just_now = parcel.order.finishes and parcel.cancelled_at == trio.current_time()
        assert not parcel.fates or just_now, f"{parcel} is begun, and was over"
        assert parcel.account in (None, account), f"{parcel} came to {account}"
        assert not parcel.lost, f"{parcel} was not to be kept over the crash"
        assert not account.serving, f"{account} begins {name} in the middle of {account.serving}"
        timer = self.timers.get(name.rpartition("@")[0])
        if timer is not None and parcel.how == "timer" and not parcel.attempts:
            assert not timer.gone, f"{parcel} was cancelled, and is begun"
        if account.role.lives:
            assert account.alive == [incarnation], f"{account}: lifespans {account.alive}"
        parcel.account, account.serving = account, name
        attempt = Attempt(account, incarnation)
        parcel.attempts.append(attempt)
        return attempt

    def over(self, account: Account, attempt: Attempt, how: str, now: datetime) -> None:
        """The handler is done."""
        attempt.how, account.serving = how, ""
        if how == "crashed":
            if attempt.incarnation not in account.crashed:
                self.lose_mailbox(account)
            self.crashed(account, attempt.incarnation, now)

    def crashed(self, account: Account, incarnation: int, now: datetime) -> None:
        """Something was raised that ends its run."""
        account.crash(incarnation)
        if account.is_fresh:
            self.drop_timers(account, now)

    def drop_timers(self, account: Account, now: datetime) -> None:
        """Its next run begins without those that are set."""
        for timer in account.timers.values():
            timer.dropped_at = timer.dropped_at or now
        account.timers.clear()

    def lose_mailbox(self, account: Account) -> None:
        """What is in the mailbox of an agent that crashes, if that is not kept."""
        if not account.role.keep_mailbox:
            for parcel in self.parcels.values():
                mine = parcel.account is account and not parcel.fates and not parcel.attempts
                parcel.lost = parcel.lost or (mine and parcel.arrived)

    def find(self, name: str, account: Account, now: datetime, *, dead: bool = False) -> Parcel:
        """The parcel of this name; one that nobody knew of, if it may well be."""
        parcel = self.parcels.get(name)
        if parcel is not None:
            return parcel
        timer = self.timers.get(name.rpartition("@")[0])
        news = self.news.get(name.rpartition(">")[0])
        if timer is not None and news is None:
            return self.fired(name, timer, now, dead=dead)
        assert news is not None, f"nobody sent {name}, and {account} has it"
        assert account.role.subscribes, f"{account} did not subscribe, and has {name}"
        self.parcels[name] = Parcel(name, "news", news.order, (news.publisher, "bus"), news.number)
        return self.parcels[name]

    def fired(self, name: str, timer: Timer, now: datetime, *, dead: bool) -> Parcel:
        base, _, said = name.rpartition("@")
        planned = datetime.fromisoformat(said)
        account, order = self.timed[base]
        assert planned <= now, f"{name} came too early"
        assert timer.due in (None, planned), f"{name} was due at {timer.due}"
        # When a letter is read is not when it became one.
        assert dead or not timer.gone, f"{name} was cancelled, and came"
        if timer.dropped_at is not None:
            assert planned <= timer.dropped_at, f"{name} was forgotten, and came"
        timer.fired = True
        self.parcels[name] = Parcel(name, "timer", order, account=account)
        return self.parcels[name]

    # Commits --------------------------------------------------------------------------------

    def committed(self, place: Any, state: Book, now: datetime) -> None:
        """This is its state now."""
        account = self.account(place)
        status = place.status()
        base = self.base(account, status.incarnation)
        self.enter_run(account, status.incarnation, now)
        account.revision += 1
        assert status.revision == account.revision, f"{account}: {status}"
        name = state.done[-1] if state.done else ""
        account.book, order = state, Order()
        if name.startswith("!"):
            assert state == Book((*base.done, name), base.requests), f"{account}: {state}"
            self.told(account, name)
        else:
            order = self.accepted(account, name, base, state, status)
        account.commits.append((account.revision, name))
        self.due(account, name, order, base, now)

    def base(self, account: Account, incarnation: int) -> Book:
        """What a turn of this run begins with."""
        anew = incarnation > account.incarnation and account.is_fresh
        return Book() if anew else account.book

    def enter_run(self, account: Account, incarnation: int, now: datetime) -> None:
        assert incarnation >= account.incarnation
        if incarnation > account.incarnation:
            account.incarnation = incarnation
            if account.is_fresh:
                kept = {tag: run for tag, run in account.spawned.items() if run >= incarnation}
                account.spawned = kept
                self.drop_timers(account, now)

    def accepted(self, account: Account, name: str, base: Book, state: Book, status: Any) -> Order:
        parcel = self.parcels[name]
        request = parcel.attempts[-1].request
        assert (request is not None) == parcel.is_call, f"{parcel} can be answered by {request}"
        expected, _ = orders.decide(base, parcel.order, name, request)
        assert state == expected, f"{account} made {state} of {base} by {parcel}"
        self.settle(parcel, "committed")
        assert [one.how for one in parcel.attempts][-1:] == ["returned"], parcel
        assert parcel.crashes <= (0 if parcel.is_call else account.role.redeliver), parcel
        last = account.last.get(parcel.sender, 0)
        if parcel.sender is not None:
            assert parcel.number > last, f"{parcel} comes after a later one: {account.last}"
            account.last[parcel.sender] = parcel.number
        errands = sum(isinstance(one, ERRANDS) for one in parcel.order.deeds)
        room = not (status.outbox and errands) or status.outbox + errands <= CAPACITY
        assert room, f"{parcel} did not fit in: {status.outbox} and {errands}"
        return parcel.order

    def told(self, account: Account, name: str) -> None:
        what, _, rest = name.partition(" ")
        if what == "!down":
            id, incarnation, reason = rest.split(" ")
            run = id, incarnation if reason != "noproc" else reason
            account.downs[run] = account.downs.get(run, 0) + 1
            assert sum(
                count for (one, _), count in account.downs.items() if one == id
            ) <= account.watches.get(id, 0), f"{account} is told once more: {account.downs}"

    def check_why(self, parcel: Parcel, kind: str, letter: Any = None) -> None:
        """Whether this reason can be the true one."""
        raise NotImplementedError
