"""What a journal is to do, said once more and as simply as can be: everything is kept, for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import Factory, define

from trido.journal.operations import Claim, Commit, Mark, Resolve
from trido.journal.rows import AgentKey, Entry, Kept, Past, Recovery, Timer, Wake


@define
class Modelled:
    name: str
    epoch: int = 0
    turns: list[Commit] = Factory(list)
    directives: dict[tuple[int, int], Entry] = Factory(dict)

    @property
    def revision(self) -> int:
        return len(self.turns)

    @property
    def inputs(self) -> dict[str, Kept]:
        return {one.consumes: Kept(one.revision, one.reply) for one in self.turns if one.consumes}

    @property
    def timers(self) -> dict[str, Timer]:
        timers: dict[str, Timer] = {}
        for one in self.turns:
            timers = {key: value for key, value in timers.items() if key not in one.cancelled}
            timers |= {timer.key: timer for timer in one.timers}
        return timers

    def state(self, revision: int) -> Mapping[str, bytes]:
        state: Mapping[str, bytes] = {}
        for one in self.turns[:revision]:
            state = {**({} if one.full else state), **one.state}
        return state

    def entries(self, *statuses: str) -> tuple[Entry, ...]:
        ids = sorted(self.directives)
        return tuple(self.directives[id] for id in ids if self.directives[id].status in statuses)

    @property
    def due(self) -> int | None:
        return min((timer.due for timer in self.timers.values()), default=None)


class Model:
    """``write`` gives what comes of a write, or the word for how it is refused."""

    def __init__(self) -> None:
        self.agents: dict[AgentKey, Modelled] = {}

    def write(self, write: Any) -> object:
        match write:
            case Claim():
                return self._claim(write)
            case Commit():
                return self._commit(write)
            case Mark():
                return self._mark(write)
            case _:
                return self._resolve(write)

    def _claim(self, claim: Claim) -> object:
        agent = self.agents.get(claim.agent, Modelled(claim.name))
        if agent.name != claim.name:
            return "JournalError"
        self.agents[claim.agent] = agent
        agent.epoch += 1
        for id, entry in agent.directives.items():
            if entry.status == "started":
                agent.directives[id] = changed(entry, "unknown", note="")
        known = [(key, kept) for key, kept in agent.inputs.items()]
        return Recovery(
            agent=claim.agent,
            name=claim.name,
            epoch=agent.epoch,
            revision=agent.revision,
            state=agent.state(agent.revision),
            directives=agent.entries("pending", "started"),
            unknown=agent.entries("unknown"),
            timers=tuple(sorted(agent.timers.values(), key=lambda one: (one.due, one.key))),
            known=dict(known),
        )

    def _commit(self, commit: Commit) -> object:
        agent = self.agents.get(commit.agent)
        if agent and commit.consumes in agent.inputs:
            return agent.inputs[commit.consumes]
        if agent is None or (agent.epoch, agent.revision + 1) != (commit.epoch, commit.revision):
            return "Fenced"
        if not commit.full and not agent.turns:
            return "SpecError"
        agent.turns.append(commit)
        for index, one in enumerate(commit.directives):
            id = commit.revision, index
            entry = Entry(commit.agent, *id, one.name, one.data, attempts=one.attempts)
            agent.directives[id] = entry
        return None

    def _mark(self, mark: Mark) -> object:
        agent = self.agents.get(mark.agent)
        if agent is None or agent.epoch != mark.epoch:
            return "Fenced"
        id = mark.revision, mark.index
        entry = agent.directives.get(id)
        if entry and (entry.status, mark.status) in MOVES:
            more = mark.status in {"pending", "started"}
            agent.directives[id] = changed(
                entry, mark.status, attempts=entry.attempts + more, note=mark.note
            )
        return None

    def _resolve(self, resolve: Resolve) -> object:
        agent = self.agents.get(resolve.agent)
        id = resolve.revision, resolve.index
        if agent is None or id not in agent.directives:
            return "JournalError"
        entry = agent.directives[id]
        if entry.status not in {"unknown", "dead"}:
            return "JournalError"
        status = {"done": "done", "retry": "pending", "dead": "dead"}[resolve.to]
        attempts = 0 if resolve.to == "retry" else entry.attempts
        agent.directives[id] = changed(entry, status, attempts=attempts)
        return None

    # Reading --------------------------------------------------------------------------------

    def history(self, key: AgentKey) -> tuple[Past, ...]:
        agent = self.agents[key]
        return tuple(
            Past(
                one.revision,
                one.at,
                one.input,
                dict(one.state),
                one.full,
                tuple(agent.directives[one.revision, at] for at in range(len(one.directives))),
            )
            for one in agent.turns
        )

    def waking(self, until: int) -> tuple[Wake, ...]:
        found = []
        for key in sorted(self.agents, key=lambda key: (key.partition, key.id)):
            agent = self.agents[key]
            open = len(agent.entries("pending", "started"))
            if open or (agent.due is not None and agent.due <= until):
                found.append(Wake(key, agent.name, open, agent.due))
        return tuple(found)

    def letters(self) -> tuple[Entry, ...]:
        keys = sorted(self.agents, key=lambda key: (key.partition, key.id))
        return tuple(one for key in keys for one in self.agents[key].entries("dead", "unknown"))


MOVES = {
    *[("pending", to) for to in ("pending", "started", "done", "failed", "dead")],
    *[("started", to) for to in ("done", "failed", "dead", "unknown")],
}


def changed(entry: Entry, status: str, **fields: Any) -> Entry:
    given = {"attempts": entry.attempts, "note": entry.note, **fields, "status": status}
    return Entry(entry.agent, entry.revision, entry.index, entry.name, entry.data, **given)
