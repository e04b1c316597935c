"""The agents that are killed. Whatever they commit names the turn that committed it.

Accounts take deposits. For each they have a receiver charged that knows the ids it has seen, now
and then one told that does not, and a clerk, who has an archive. They run actions, and set timers,
replace and cancel them. A ticker keeps a calendar. One account is known by a key, and sleeps
whenever it has nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import trio
from attrs import evolve, frozen

import trido

reached: list[Callable[[str], object]] = []
"""Told where a decision is: the child kills itself there, and the judge does not."""


def reach(point: str) -> None:
    for tell in reached:
        tell(point)


# What is done outside -----------------------------------------------------------------------------


@frozen
class Charge(trido.Directive):
    """For a receiver that does nothing twice: ``keyed``."""

    turn: str


@frozen
class Notify(trido.Directive):
    """For one that does: ``at_most_once``."""

    turn: str


# Accounts -----------------------------------------------------------------------------------------


@frozen
class Account:
    starts: int = 0
    stops: int = 0
    deposits: int = 0
    total: int = 0
    checks: int = 0
    reminders: int = 0
    settled: int = 0
    unknown: int = 0


@frozen
class Deposit:
    amount: int


@frozen
class Of:
    """The turn that had a signal sent."""

    turn: str


@trido.action("settle")
async def settle(data: Of) -> Of:
    await trio.sleep(0.001)
    reach("an action")
    return data


account: Final = trido.Agent("account", state=Account, durability="sync", idle_timeout=0.05)


KEYED: Final = "account/1"


def here(turn: trido.Turn) -> str:
    return f"{turn.agent_id}/{turn.revision + 1}"


@account.on_start
def started(state: Account, turn: trido.Turn) -> trido.Decision[Account]:
    reach("on_start")
    return evolve(state, starts=state.starts + 1)


@account.on_stop
def stopped(state: Account, turn: trido.Turn) -> trido.Decision[Account]:
    reach("on_stop")
    return evolve(state, stops=state.stops + 1)


@account.on("deposit")
def deposit(state: Account, data: Deposit, turn: trido.Turn) -> trido.Decision[Account]:
    reach("a decision")
    new = evolve(state, deposits=state.deposits + 1, total=state.total + data.amount)
    said = {"turn": here(turn)}
    naps = [trido.Hibernate()] if turn.agent_id == KEYED else []
    return new, [Charge(here(turn)), *sometimes(data.amount, said), *naps]


def sometimes(n: int, said: dict[str, str]) -> list[trido.Directive]:
    wanted: list[trido.Directive] = []
    if n % 3 == 0:
        wanted.append(trido.Emit(trido.Signal("booked", said), to="clerk"))
    if n % 3 == 1:  # else the answer is the state
        wanted.append(trido.Reply(said["turn"]))
    if n % 4 == 3:
        wanted.append(Notify(said["turn"]))
    if n % 7 == 0:
        wanted.append(trido.Run(settle, Of(said["turn"]), ok="settled"))
    if n % 4 == 0:
        wanted.append(trido.Schedule(n / 10_000, trido.Signal("timer.short", said)))
    if n % 5 == 0:
        wanted.append(trido.Schedule(n / 5_000, trido.Signal("timer.late", said), key="late"))
    if n % 5 == 1:
        wanted.append(trido.Cancel("late"))
    return wanted


@account.on("check")
async def check(state: Account, data: Deposit, turn: trido.Turn) -> trido.Decision[Account]:
    """An effectful turn: it starts on a durable state, and holds the mailbox."""
    await trio.sleep(data.amount / 100_000)
    reach("an effectful turn")
    return evolve(state, checks=state.checks + 1), [Charge(here(turn)), trido.Reply(here(turn))]


@account.on("timer.*")
def reminded(state: Account, data: Of) -> trido.Decision[Account]:
    return evolve(state, reminders=state.reminders + 1)


@account.on("settled")
def settled(state: Account, data: Of) -> trido.Decision[Account]:
    return evolve(state, settled=state.settled + 1)


@account.on("refuse")
def refuse(state: Account, data: None) -> trido.Decision[Account]:
    raise trido.Reject("no")


@account.on("crash")
def crash(state: Account, data: None) -> trido.Decision[Account]:
    raise ValueError("a bug")


@account.on("agent.directive.unknown", check=False)
def unknown(state: Account, data: object) -> trido.Decision[Account]:
    return evolve(state, unknown=state.unknown + 1)


# A chain of them ----------------------------------------------------------------------------------


@frozen
class Shelf:
    count: int = 0
    latest: str = ""


clerk: Final = trido.Agent("clerk", state=Shelf, durability="sync")
archive: Final = trido.Agent("archive", state=Shelf, durability="sync")


@clerk.on("booked")
def booked(state: Shelf, data: Of, turn: trido.Turn) -> trido.Decision[Shelf]:
    new = evolve(state, count=state.count + 1, latest=data.turn)
    emit = trido.Emit(trido.Signal("filed", {"turn": here(turn)}), to="archive")
    return new, [emit] if new.count % 2 else []


@archive.on("filed")
def filed(state: Shelf, data: Of, turn: trido.Turn) -> trido.Decision[Shelf]:
    new = evolve(state, count=state.count + 1, latest=data.turn)
    return new, [Charge(here(turn))] if new.count % 2 else []


# A calendar ---------------------------------------------------------------------------------------


@frozen
class Clockwork:
    ticks: int = 0


ticker: Final = trido.Agent("ticker", state=Clockwork, durability="sync")


@ticker.on("begin")
def begin(state: Clockwork, data: None) -> trido.Decision[Clockwork]:
    return state, [trido.Cron("* * * * *", trido.Signal("tick"), "tick", catch_up="all")]


@ticker.on("tick")
def tick(state: Clockwork, data: None, turn: trido.Turn) -> trido.Decision[Clockwork]:
    return evolve(state, ticks=state.ticks + 1), [Charge(here(turn))]


@ticker.on("end")
def end(state: Clockwork, data: None) -> trido.Decision[Clockwork]:
    return state, [trido.Cancel("tick")]


AGENTS: Final[dict[str, trido.Agent[Any]]] = {
    "account-1": account,
    "account-2": account,
    "loose-1": account,
    KEYED: account,
    "clerk": clerk,
    "archive": archive,
    "ticker": ticker,
}
"""Which there are, by id. A loose one is run as "buffered": it survives a crash of the process."""
DEFINITIONS: Final = tuple({id(one): one for one in AGENTS.values()}.values())
ACCOUNTS: Final = ("account-1", "account-2", "loose-1", KEYED)
DIRECTIVES: Final[dict[str, type]] = {"Charge": Charge, "Notify": Notify}
