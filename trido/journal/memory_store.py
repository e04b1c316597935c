"""The store of a journal in memory: what each agent has left, and the rules by which it changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any, Final, TypeVar, cast, final

from attrs import define, evolve, field
from outcome import Outcome, capture

from trido.journal import rules
from trido.journal.memory import FILE
from trido.journal.operations import (
    RESOLUTIONS,
    Agents,
    Claim,
    Commit,
    Find,
    History,
    Letters,
    Mark,
    Query,
    Resolve,
    StateAt,
    Waking,
    Write,
)
from trido.journal.rows import (
    AgentKey,
    Entry,
    Kept,
    Past,
    Recovery,
    Status,
    Stored,
    Timer,
    Wake,
)

A = TypeVar("A")


@final
@define
class KeptAgent:
    """All that is kept of one agent."""

    head: rules.Head
    turns: deque[Past] = field(factory=deque)
    inputs: dict[str, tuple[int, Kept]] = field(factory=dict)
    entries: dict[tuple[int, int], Entry] = field(factory=dict)
    timers: dict[str, Timer] = field(factory=dict)


@final
class MemoryStore:
    """The store of an open journal in memory."""

    def __init__(self, agents: dict[AgentKey, KeptAgent], closed: Callable[[], None]) -> None:
        self._agents = agents
        self.close = closed

    @property
    def file(self) -> str:
        """What it is called in errors."""
        return FILE

    # Writes ---------------------------------------------------------------------------------

    def write(self, batch: Sequence[Write[Any]], *, sync: bool) -> list[Outcome[Any]]:
        """Carry a batch out, one by one."""
        return [capture(self._do, one) for one in batch]

    def _do(self, write: Write[Any]) -> object:
        return _ACTS[type(write)](self, write)

    def _claim(self, claim: Claim) -> Recovery:
        agent = self._agents.get(claim.agent)
        if agent is None:
            agent = KeptAgent(rules.Head(claim.agent, claim.name))
        rules.judge_claim(FILE, agent.head, claim)
        self._agents[claim.agent] = agent
        agent.head.keep = claim.keep
        for id, _ in rules.claimed(agent.head):
            agent.entries[id] = evolve(agent.entries[id], status="unknown")
        since = agent.head.revision - min(claim.known, claim.keep.history)
        newest = takewhile(lambda one: one[1][1].revision > since, reversed(agent.inputs.items()))
        return Recovery(
            agent=claim.agent,
            name=claim.name,
            epoch=agent.head.epoch,
            revision=agent.head.revision,
            state=rules.fold(_from_full(agent.turns, agent.head.revision)),
            directives=_in(agent, rules.OPEN),
            unknown=_in(agent, {"unknown"}),
            timers=tuple(sorted(agent.timers.values(), key=lambda one: (one.due, one.key))),
            known={key: kept for key, (_, kept) in newest},
        )

    def _commit(self, commit: Commit) -> Kept | None:
        agent = self._agents.get(commit.agent)
        if agent and commit.consumes in agent.inputs:
            return agent.inputs[commit.consumes][1]
        rules.judge_commit(FILE, agent and agent.head, commit)
        self._turn(cast("KeptAgent", agent), commit)
        return None

    def _turn(self, agent: KeptAgent, commit: Commit) -> None:
        rules.committed(agent.head, commit)
        if commit.consumes is not None:
            kept = Kept(commit.revision, commit.reply)
            agent.inputs[commit.consumes] = (commit.at, kept)
        for at, one in enumerate(commit.directives):
            id = commit.revision, at
            entry = Entry(commit.agent, *id, one.name, one.data, attempts=one.attempts)
            agent.entries[id] = entry
            agent.head.open[id] = rules.Slot("pending", one.attempts)
        for key in commit.cancelled:
            agent.timers.pop(key, None)
        agent.timers.update((timer.key, timer) for timer in commit.timers)
        state = dict(commit.state)
        agent.turns.append(Past(commit.revision, commit.at, commit.input, state, commit.full, ()))
        _forget(agent)

    def _mark(self, mark: Mark) -> None:
        agent = self._agents.get(mark.agent)
        slot = rules.judge_mark(FILE, agent and agent.head, mark)
        if agent and slot:
            id = mark.revision, mark.index
            rules.move(agent.head, id, slot, mark.status)
            _keep(
                agent,
                evolve(
                    agent.entries[id], status=slot.status, attempts=slot.attempts, note=mark.note
                ),
            )

    def _resolve(self, resolve: Resolve) -> None:
        agent, id = self._agents.get(resolve.agent), (resolve.revision, resolve.index)
        entry = agent and agent.entries.get(id)
        if not agent or not entry or entry.status not in {"unknown", "dead"}:
            raise rules.no_such_letter(FILE, resolve.agent, *id)
        status = RESOLUTIONS[resolve.to]
        if status == "pending":
            agent.head.open[id] = rules.Slot(status, 0)
            entry = evolve(entry, attempts=0)
        _keep(agent, evolve(entry, status=status))

    # Queries --------------------------------------------------------------------------------

    def read(self, query: Query[A]) -> A:
        """Answer a query."""
        return cast("A", _ANSWERS[type(query)](self, query))

    def _find(self, query: Find) -> Kept | None:
        agent = self._agents.get(query.agent)
        return agent.inputs.get(query.consumes, (0, None))[1] if agent else None

    def _history(self, query: History) -> tuple[Past, ...]:
        agent = self._agents.get(query.agent)
        if agent is None or not agent.turns:
            return ()
        until = min(query.until, agent.head.revision)
        first = agent.turns[0].revision
        since = max(query.since + 1, agent.head.oldest, until - query.limit + 1, first)
        turns = islice(agent.turns, since - first, max(until + 1, since) - first)
        return tuple(_with_entries(agent, turn) for turn in turns)

    def _state_at(self, query: StateAt) -> Mapping[str, bytes] | None:
        agent = self._agents.get(query.agent)
        if agent is None or not agent.head.oldest <= query.revision <= agent.head.revision:
            return None
        turns = _from_full(agent.turns, query.revision)
        return rules.fold(turns) if turns and turns[0].full else None

    def _waking(self, query: Waking) -> tuple[Wake, ...]:
        heads = (self._agents[key].head for key in sorted(self._agents, key=_order))
        found = (
            Wake(head.agent, head.name, len(head.open), head.due)
            for head in heads
            if (head.open or (head.due is not None and head.due <= query.until))
            and (query.after is None or _order(head.agent) > _order(query.after))
        )
        return tuple(islice(found, query.limit))

    def _all(self, query: Agents) -> tuple[Stored, ...]:
        keys = sorted(self._agents, key=_order) if query.agent is None else [query.agent]
        heads = (self._agents[key].head for key in keys if key in self._agents)
        found = (
            Stored(head.agent, head.name, head.revision, head.oldest)
            for head in heads
            if query.after is None or _order(head.agent) > _order(query.after)
        )
        return tuple(islice(found, query.limit))

    def _letters(self, query: Letters) -> tuple[Entry, ...]:
        keys = sorted(self._agents, key=_order) if query.agent is None else [query.agent]
        agents = (self._agents[key] for key in keys if key in self._agents)
        found = (one for agent in agents for one in _in(agent, {"dead", "unknown"}))
        return tuple(islice(found, query.limit))


def _order(key: AgentKey) -> tuple[bytes, bytes]:
    return key.partition.encode(), key.id.encode()


def _in(agent: KeptAgent, statuses: Iterable[Status]) -> tuple[Entry, ...]:
    ids = sorted(agent.entries)
    return tuple(agent.entries[id] for id in ids if agent.entries[id].status in statuses)


def _ids(agent: KeptAgent, revision: int) -> Iterator[tuple[int, int]]:
    """Of the directives of one turn."""
    index = 0
    while (revision, index) in agent.entries:
        yield revision, index
        index += 1


def _with_entries(agent: KeptAgent, turn: Past) -> Past:
    entries = tuple(agent.entries[id] for id in _ids(agent, turn.revision))
    return evolve(turn, directives=entries)


def _keep(agent: KeptAgent, entry: Entry) -> None:
    id = entry.revision, entry.index
    agent.entries[id] = entry
    if entry.status in rules.SETTLED and entry.revision <= agent.head.forgotten:
        del agent.entries[id]


def _from_full(turns: Sequence[Past], revision: int) -> list[Past]:
    """The turns up to a revision, from the last full one on."""
    found = []
    for turn in reversed(turns):
        if turn.revision <= revision:
            found.append(turn)
            if turn.full:
                break
    return found[::-1]


def _forget(agent: KeptAgent) -> None:
    """Drop what is not kept any longer."""
    head = agent.head
    while agent.turns[0].revision <= head.forgotten:
        gone = agent.turns.popleft().revision
        for id in list(_ids(agent, gone)):
            _keep(agent, agent.entries[id])
    since = head.at - head.keep.dedupe_for * 1_000_000
    for key, (at, _) in list(islice(agent.inputs.items(), 2)):
        if len(agent.inputs) > head.keep.dedupe or at < since:
            del agent.inputs[key]


_ACTS: Final[dict[type, Callable[[MemoryStore, Any], object]]] = {
    Claim: MemoryStore._claim,
    Commit: MemoryStore._commit,
    Mark: MemoryStore._mark,
    Resolve: MemoryStore._resolve,
}

_ANSWERS: Final[dict[type, Callable[[MemoryStore, Any], object]]] = {
    Agents: MemoryStore._all,
    Find: MemoryStore._find,
    History: MemoryStore._history,
    Letters: MemoryStore._letters,
    StateAt: MemoryStore._state_at,
    Waking: MemoryStore._waking,
}
