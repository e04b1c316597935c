"""The model of a runtime: what has become of every signal, turn and directive, told from outside.

It hears from the handlers what they were given, from senders what they were told, from executors
and actions what they did, and from the runtime each state that it commits and each dead letter. It
knows none of the runtime's own books. Whatever was the schedule, what it hears must add up.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import trio

import trido
from tests.faults.accepting import Turns
from tests.faults.names import RESTARTS, name_of, name_of_directive
from tests.faults.records import Account, Parcel


class Ledger(Turns):
    """All of it, with the dead letters."""

    def lettered(self, letter: trido.DeadLetter, now: datetime) -> None:
        """There is one more."""
        kind = type(letter.reason).__name__
        if letter.directive is not None:
            self.directive_lettered(letter, kind)
            return
        name = name_of(letter.signal, letter.agent)
        if name is None:
            return
        accounts = self.known(letter.agent) or [Account(letter.agent)]
        parcel = self.find(name, accounts[-1], now, dead=True)
        if parcel.account is None and parcel.how != "emit":
            parcel.account = accounts[-1]
        self.settle(parcel, f"letter: {kind}")
        self.check_why(parcel, kind, letter)

    def directive_lettered(self, letter: trido.DeadLetter, kind: str) -> None:
        name = name_of_directive(letter.directive)
        if name in self.parcels:
            self.settle(self.parcels[name], f"letter: {kind}")
        if name in self.news:
            assert not self.news[name].lettered, f"{name} is given up twice"
            self.news[name].lettered = True
        if name not in self.tasks:
            return
        account, task = self.tasks[name]
        task.reported.append(kind)
        assert len(task.reported) == 1, f"{name} is reported twice: {task}"
        if kind == "OutcomeUnknown":
            # Where its task was only just about to begin is all the same to the runtime.
            assert task.ended[-1:] in ([], ["cancelled"]), f"{name} is over: {task}"
        else:
            assert kind == "AgentStopped", letter
            assert not task.begun or task.ended[-1:] == ["cancelled"], f"{name}: {task}"
        if name not in account.jobs:
            self.check_grace(account, name)

    def check_grace(self, account: Account, name: str) -> None:
        """Committed directives are not given up as long as there is time."""
        if trio.current_time() >= account.asked_to_end + account.role.shutdown - 1e-6:
            return
        assert account.ended or account.parent, f"{name} is given up, and {account} lives"
        asked = account.asked_to_end < math.inf and not account.parent
        if asked and not self.closing:
            raise AssertionError(f"{name} of {account} is given up too early")

    def check_why(self, parcel: Parcel, kind: str, letter: Any = None) -> None:
        """Whether this reason can be the true one."""
        account = parcel.account
        if account is None:
            return
        tries = account.role.redeliver if not parcel.is_call else 0
        match kind:
            case "AgentCrashed" if not parcel.is_committed:
                ended = [one.how for one in parcel.attempts]
                if account.role.keep_mailbox:
                    assert ended, f"{parcel} was only queued, and the mailbox is kept"
                    whole = "cancelled" in ended or parcel.crashes == tries + 1
                    broken = "breaks" in parcel.order.how or "asks" in parcel.order.how
                    assert whole or broken, f"{parcel}: {kind}, after {ended} of {tries + 1}"
            case "Overloaded":
                outbox = bool(parcel.attempts)
                assert outbox or account.role.overflow != "block", f"{parcel}: {kind}"
            case "AgentStopped" if not self.closing and not account.parent:
                sender = letter is not None and letter.reason.id != letter.agent
                may = account.asked_to_end < float("inf") or account.ended or sender
                assert may, f"{parcel}: {kind}, and {account} was not stopped"
            case "AgentParked":
                # One that is stopped in the moment in which it is parked is never seen so.
                unseen = account.ended and account.crashes > RESTARTS
                assert account.ever_parked or unseen, f"{parcel}: {kind}"
            case "Reject":
                assert parcel.order.how == "rejects", f"{parcel}: {kind}"
            case "TurnExpired":
                assert account.role.turn_limit < float("inf"), f"{parcel}: {kind}"
