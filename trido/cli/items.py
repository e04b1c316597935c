"""The items of the production checklist: each looks at facts, and gives evidence. Pure.

Whose value it is, which, and whether it is as it has to be. What follows is for `checklist`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from trido.agents import Cron
from trido.cli.facts import AgentFact, Facts, RuntimeFact, fields
from trido.journal import MemoryJournal

ROOM: Final = 100_000
"""More signals than that in one mailbox are a backlog that nobody will ever work off."""
_SENSITIVE: Final = frozenset(["card", "cvv", "cvc", "iban", "ssn", "pin", "otp", "bearer", "auth"])


@frozen
class Evidence:
    """What was looked at, and whether it is as it has to be."""

    subject: str
    value: str
    ok: bool = True

    def __str__(self) -> str:
        return f"{self.subject}: {self.value}"


@frozen(kw_only=True)
class Item:
    """One thing that has to hold."""

    name: str
    holds: str
    remedy: str
    look: Callable[[Facts], Iterator[Evidence]]


# The items --------------------------------------------------------------------------------------


def _restart_limits(facts: Facts) -> Iterator[Evidence]:
    for one in facts.supervisors:
        value = f"{one.max_restarts:g} restarts in {one.max_seconds:g} s"
        yield Evidence(one.path, value, one.max_restarts < math.inf)


def _graces(facts: Facts) -> Iterator[Evidence]:
    for one in facts.workers:
        yield Evidence(one.path, f"{one.policy.grace:g} s to stop", one.policy.grace < math.inf)


def _start_timeouts(facts: Facts) -> Iterator[Evidence]:
    for one in facts.workers:
        if one.says_when_ready:
            limit = one.policy.start_timeout
            yield Evidence(one.path, f"{limit:g} s to be ready", limit < math.inf)


def _mailboxes(facts: Facts) -> Iterator[Evidence]:
    for one in facts.agents:
        settings = one.settings
        holds_up = settings.overflow == "block" and bool(settings.subscribe)
        value = f"{settings.mailbox} signals, then {settings.overflow}"
        if holds_up:
            value += f", and whoever publishes {settings.subscribe[0]} waits"
        yield Evidence(one.path, value, settings.mailbox <= ROOM and not holds_up)


def _durable(facts: Facts) -> list[AgentFact]:
    return [one for one in facts.agents if one.settings.durability != "none"]


def _durable_agents(facts: Facts) -> Iterator[Evidence]:
    journal = None if facts.runtime is None else facts.runtime.journal
    on_disk = journal is not None and not isinstance(journal, MemoryJournal)
    for one in _durable(facts):
        yield Evidence(one.path, f"{one.settings.durability}, in {journal!r}", on_disk)


def _turn_limits(facts: Facts) -> Iterator[Evidence]:
    for one in facts.agents:
        for route in one.agent.routes:
            if route.is_async:
                own = route.turn_limit
                limit = one.settings.turn_limit if own is None else own
                subject = f"{one.path} {route.pattern}"
                yield Evidence(subject, f"{limit:g} s for a turn", limit < math.inf)


def _executors(facts: Facts) -> Iterator[Evidence]:
    runtime = facts.runtime
    if runtime is None or runtime.journal is None:
        return  # nothing is carried out twice
    for name, one in runtime.executors.items():
        value = one.delivery if one.is_declared else f"{one.delivery}, which nobody has said"
        yield Evidence(name, value, one.is_declared)


def _secrets(facts: Facts) -> Iterator[Evidence]:
    seen = set[str]()
    for agent in facts.agents:
        for one in fields(agent.agent):
            words = set(re.split(r"[^a-z]+", one.name.rpartition(".")[2].lower()))
            if one.name not in seen and (one.is_secret or words & _SENSITIVE):
                seen.add(one.name)
                yield Evidence(one.name, "hidden" if one.is_secret else "shown", one.is_secret)


def _observers(facts: Facts) -> Iterator[Evidence]:
    if facts.observers is None:
        yield Evidence(facts.root, "a spec has none: only the log is told", ok=False)
    else:
        yield Evidence(facts.root, f"{facts.observers} observers", facts.observers > 0)


def _watchdog(facts: Facts) -> Iterator[Evidence]:
    runtime: RuntimeFact | None = facts.runtime
    if runtime is not None:
        limit = runtime.watchdog
        value = "none" if limit is None else f"tells after {limit:g} s"
        yield Evidence(runtime.id, value, limit is not None)
    elif facts.agents:
        yield Evidence(facts.root, "none, since there is no runtime", ok=False)


def _schedules(facts: Facts) -> Iterator[Evidence]:
    for one in facts.agents:
        kept = one.settings.durability != "none"
        for timer in one.settings.schedules:
            if isinstance(timer, Cron):
                value = f"{timer.expr}, {timer.catch_up} what was missed"
                ok = not kept or timer.catch_up != "skip"
                yield Evidence(f"{one.path} {timer.key}", value, ok)


def _ids(facts: Facts) -> Iterator[Evidence]:
    value = "named" if facts.is_named else "its name by default"
    yield Evidence(facts.root, value, facts.is_named)


ITEMS: Final = (
    Item(
        name="restart-limits",
        holds="every supervisor gives up at some point",
        remedy="give it a max_restarts that is not inf",
        look=_restart_limits,
    ),
    Item(
        name="shutdown-graces",
        holds="every child has a finite time to stop",
        remedy="give it a shutdown that is not inf",
        look=_graces,
    ),
    Item(
        name="start-timeouts",
        holds="whoever says when it is ready has a finite time for it",
        remedy="give it a start_timeout",
        look=_start_timeouts,
    ),
    Item(
        name="mailboxes",
        holds=f"no mailbox holds more than {ROOM}, and none holds up who publishes",
        remedy="give the agent a smaller mailbox=, or another overflow=",
        look=_mailboxes,
    ),
    Item(
        name="durable-agents",
        holds="every durable agent is kept on a disk",
        remedy="open_runtime(journal=trido.SqliteJournal(path))",
        look=_durable_agents,
    ),
    Item(
        name="turn-limits",
        holds="every effectful turn has a finite time",
        remedy="give the agent or the route a turn_limit that is not inf",
        look=_turn_limits,
    ),
    Item(
        name="executors",
        holds="of every executor it is said what may be done about a crash",
        remedy='trido.Executor(fn, delivery="keyed"), or what is true of it',
        look=_executors,
    ),
    Item(
        name="secrets",
        holds="no field that sounds like a secret is shown",
        remedy="mark it with trido.secret()",
        look=_secrets,
    ),
    Item(
        name="observers",
        holds="somebody besides the log is told what happens",
        remedy="open it with observers=",
        look=_observers,
    ),
    Item(
        name="watchdog",
        holds="somebody is told of code that lets nothing else run",
        remedy="open_runtime(watchdog=1.0)",
        look=_watchdog,
    ),
    Item(
        name="schedules",
        holds="what a durable agent's calendar missed while nothing ran is caught up with",
        remedy='give the Cron catch_up="once" or "all"',
        look=_schedules,
    ),
    Item(
        name="ids",
        holds="the root has a name of its own, for logs and paths",
        remedy="give it an id=",
        look=_ids,
    ),
)
"""All of it, in the order in which it is told."""
