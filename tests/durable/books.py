"""The books: what the turns of an agent come to, kept by deciding each of them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, final

from attrs import Factory, define

import trido
from tests.durable.application import AGENTS, DEFINITIONS, DIRECTIVES, Charge, settle
from tests.durable.clients import said
from trido.agents.codec import Codec, Input
from trido.journal.rows import Entry, Past, Recovery

CODEC: Final = Codec({one.name: one for one in DEFINITIONS}, {"settle": settle}, DIRECTIVES)
AT_COMMIT: Final = (
    trido.Reply,
    trido.DeferReply,
    trido.Schedule,
    trido.Cron,
    trido.Cancel,
    trido.Stop,
    trido.Hibernate,
)
"""Directives that take effect with the commit: there is nothing left to be carried out."""
OPEN: Final = frozenset({"pending", "started"})


@final
class Findings(list[str]):
    """What was found to be wrong, in words."""

    def unless(self, is_so: object, otherwise: str) -> None:
        if not is_so:
            self.append(otherwise)


@final
@define
class Committed:
    """A directive, as it was committed."""

    directive: Any
    entry: Entry

    @property
    def turn(self) -> str:
        return f"{self.entry.agent}/{self.entry.revision}"

    @property
    def is_done(self) -> bool:
        return self.entry.status == "done"


@final
@define
class Book:
    """What is known of one agent."""

    id: str
    found: Findings
    state: Any
    revision: int = 0
    newest: Past | None = None
    fields: Mapping[str, bytes] = Factory(dict)
    timers: dict[str, str] = Factory(dict)
    """Those that are set: what they say, by the key, or by what they say."""
    ticked: datetime | None = None
    consumed: dict[str, int] = Factory(dict)
    """At which revision what was consumed."""
    answers: dict[str, str] = Factory(dict)
    """What the answer to each is, in one word."""
    heard: list[str] = Factory(list)
    """The turns of others that it was told of, in order."""
    directives: dict[tuple[int, int], Committed] = Factory(dict)

    @property
    def agent(self) -> trido.Agent[Any]:
        return AGENTS[self.id]

    @property
    def since(self) -> int:
        """From where on there may be news: a turn, or what became of a directive."""
        open = [id[0] for id, one in self.directives.items() if one.entry.status in OPEN]
        return min([self.revision, *open]) - 1

    # Turns ----------------------------------------------------------------------------------

    def read(self, turns: Iterable[Past]) -> None:
        """Go on with what has come. What was known must still be so."""
        known, is_there = self.newest, self.newest is None
        for turn in turns:
            self._know_directives(turn)
            if known and turn.revision == known.revision:
                is_there = (turn.input, turn.state) == (known.input, known.state)
            if turn.revision > self.revision:
                follows = turn.revision == self.revision + 1
                self.found.unless(follows, f"{self.id}: {turn.revision} follows {self.revision}")
                self._decide(turn, f"{self.id}/{turn.revision}")
        self.found.unless(is_there, f"{self.id}: what was committed has changed or is gone")

    def _know_directives(self, turn: Past) -> None:
        for entry in turn.directives:
            known = self.directives.get((turn.revision, entry.index))
            if known is None:
                known = Committed(CODEC.decode(entry.name, entry.data), entry)
                self.directives[turn.revision, entry.index] = known
            before, now = known.entry.status, entry.status
            self.found.unless(
                before in OPEN or before == now, f"{known.turn}: {before}, then {now}"
            )
            known.entry = entry

    def _decide(self, turn: Past, name: str) -> None:
        """Decide it again: it must come to the same."""
        self.revision, self.newest = turn.revision, turn
        self.fields = turn.state if turn.full else {**self.fields, **turn.state}
        recorded = CODEC.state(self.agent).decode(self.fields)
        entries = [self.directives[turn.revision, one.index].directive for one in turn.directives]
        input = CODEC.decode_input(turn.input, agent_id=self.id, revision=turn.revision - 1)
        self._consume(input, name)
        if input.is_effectful:  # it cannot be decided again
            decided, wanted = recorded, (Charge(name), trido.Reply(name))
        else:
            decided, wanted = again(self.agent, self.state, input)
        self.found.unless(decided == recorded, f"{name}: decided {decided}, recorded {recorded}")
        lasting = [one for one in wanted if not isinstance(one, AT_COMMIT)]
        same = [brief(one) for one in lasting] == [brief(one) for one in entries]
        self.found.unless(same, f"{name}: wanted {lasting}, recorded {entries}")
        self._set_timers(wanted)
        self.state = decided
        if input.signal.id is not None:
            replies = [one.value for one in wanted if isinstance(one, trido.Reply)]
            self.answers[input.signal.id] = said(replies[0] if replies else decided)

    def _consume(self, input: Input, name: str) -> None:
        """No input twice; no timer that was not set."""
        signal, why = input.signal, input.turn.why
        id = signal.id if why in {"call", "told"} else labelled(signal)
        if why == "emit":
            self.heard.append(turn_of(signal.data))
        elif why == "timer":
            self._fire(labelled(signal), input.turn.planned, name)
            id = f"{labelled(signal)} {input.turn.planned}"
        if not input.is_hook and id is not None:
            before = self.consumed.setdefault(id, self.revision)
            once = before == self.revision
            self.found.unless(once, f"{name}: {id} was applied twice, before at {before}")

    # Timers ---------------------------------------------------------------------------------

    def _set_timers(self, wanted: Iterable[Any]) -> None:
        for one in wanted:
            if isinstance(one, trido.Cancel):
                self.timers.pop(one.key, None)
            elif isinstance(one, trido.Schedule | trido.Cron):
                self.timers[one.key or labelled(one.signal)] = labelled(one.signal)

    def _fire(self, label: str, planned: datetime | None, name: str) -> None:
        rows = [row for row, set_to in self.timers.items() if set_to == label]
        self.found.unless(rows, f"{name}: the timer of {label} was not set any more")
        if label == "tick":
            self._tick(planned, name)
        else:
            for row in rows:
                del self.timers[row]

    def _tick(self, planned: datetime | None, name: str) -> None:
        """Each minute, and none left out."""
        if planned and self.ticked:
            apart = (planned - self.ticked).total_seconds()
            self.found.unless(apart == 60, f"{name}: ticks are {apart} s apart")
        self.ticked = planned

    # The end --------------------------------------------------------------------------------

    def compare(self, recovery: Recovery) -> None:
        """What a run would begin with is what the turns come to."""
        id, revision, state = self.id, recovery.revision, self.state
        self.found.unless(
            revision == self.revision, f"{id} is at {revision}, its turns end with {self.revision}"
        )
        if revision:
            state = CODEC.state(self.agent).decode(recovery.state)
        self.found.unless(state == self.state, f"{id}: {state}, and the turns say {self.state}")
        kept = [CODEC.decode_timer(one.key, one.due, one.data) for one in recovery.timers]
        set_to = [(one.directive.key, labelled(one.directive.signal)) for one in kept]
        timers = {key or label: label for key, label in set_to}
        self.found.unless(
            timers == self.timers, f"{id}: timers {timers}, and the turns say {self.timers}"
        )


def again(agent: trido.Agent[Any], state: Any, input: Input) -> tuple[Any, tuple[Any, ...]]:
    """What the agent decides upon that."""
    hook = {"start": agent.starts, "restart": agent.starts, "stop": agent.stops}
    if input.is_hook:
        decision = hook[input.turn.why]
        assert decision
        return agent.decide(decision, state, None, input.turn)
    return agent.cmd(state, input.signal, input.turn)


def brief(directive: Any) -> Any:
    """A directive without what is stamped on its signal when it is sent."""
    if isinstance(directive, trido.Emit):
        return directive.signal.type, directive.signal.data, address(directive.to)
    if isinstance(directive, trido.Run):
        return directive.action.name, turn_of(directive.params), directive.ok
    return directive


def address(to: Any) -> str:
    return to if isinstance(to, str) else to.id


def turn_of(data: Any) -> str:
    return str(data["turn"] if isinstance(data, Mapping) else data.turn)


def labelled(signal: trido.Signal) -> str:
    """A signal in two words."""
    return f"{signal.type} {turn_of(signal.data)}" if signal.data else signal.type
