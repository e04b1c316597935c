"""``trido replay``: a journal's turns decided again, by the code that is there now."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from attrs import define, evolve, field, frozen

from trido.agents import Action, Definition, Directive
from trido.cli.findings import Finding, refused, trouble
from trido.cli.job import Job, printable, stdout_for
from trido.cli.load import UserError, load, said
from trido.cli.replay_report import reported
from trido.errors import TridoError
from trido.journal import JournalError, SqliteJournal
from trido.journal.inspection import Progress
from trido.journal.rows import Stored
from trido.runtime import History, Replayed, open_history
from trido.runtime.naming import id_of
from trido.runtime.partition import id_in

K = TypeVar("K")

_ONLY_READ: Final = "it was only read, and nothing is changed"


@frozen(kw_only=True)
class Wanted:
    """What the command was asked for."""

    file: Path
    where: str
    """The definition, as ``module:name``."""
    agents: tuple[str, ...] = ()
    """The ids of those to replay; all of the definition, if none is given."""
    partition: str | None = None
    """Where they are; None: anywhere."""
    since: int = 0
    until: float = float("inf")
    most: float = 1
    """How many differences are looked for in each agent."""
    json: bool = False


def replay(wanted: Wanted) -> int:
    """Replay, and tell what came of it; returns the exit code.

    0: all came out as recorded. 1: something did not. 2: it could not be found out. 130 and 143:
    stopped by Ctrl-C and by SIGTERM.
    """
    try:
        with stdout_for(as_json=wanted.json):
            _check_turns(wanted)
            module, definition = _definition(wanted.where)
    except UserError as error:
        _complain(wanted, str(error))
        return 2
    work = _Work(wanted, module, definition)
    journal = SqliteJournal(wanted.file.absolute())
    job = Job(
        name="replay",
        journal=journal,
        work=work.carry_out,
        if_stopped=_ONLY_READ,
        json=wanted.json,
        prefix="trido",
    )
    return job.carry_out()


def _complain(wanted: Wanted, reason: str) -> None:
    if wanted.json:
        print(json.dumps({"file": str(wanted.file), "error": "UserError", "reason": reason}))
    print(printable(f"trido replay: {reason}"), file=sys.stderr)


def _check_turns(wanted: Wanted) -> None:
    if wanted.until <= wanted.since:
        turns = f"--since {wanted.since} --until {wanted.until}"
        raise UserError(f"{turns} leaves no turn: the first is the one after --since")


def _definition(where: str) -> tuple[ModuleType, Definition[Any]]:
    module, found = load(where, Definition)
    if not isinstance(found, Definition):
        allowed = "name the definition of an agent, such as shop:counter"
        raise UserError(f"{where} is of type {type(found).__name__}; {allowed}")
    return module, found


@define(eq=False)
class _Work:
    """The work itself."""

    wanted: Wanted
    module: ModuleType
    definition: Definition[Any]
    _done: int = field(default=0, init=False)

    async def carry_out(self, journal: SqliteJournal, progress: Progress) -> Finding:
        try:
            return await self._found(journal, progress)
        except JournalError as error:
            return evolve(refused(error), exit_code=2)

    async def _found(self, journal: SqliteJournal, progress: Progress) -> Finding:
        known = vars(self.module).values()
        async with open_history(
            journal,
            agents=_of(known, lambda one: isinstance(one, Definition)),
            actions=_of(known, lambda one: isinstance(one, Action)),
            directives=_of(known, _is_directive),
        ) as history:
            chosen = await self._chosen(history)
            missing = self._ids - {id_of(one.agent) for one in chosen}
            if missing or not chosen:
                return await self._nobody(journal, history, missing)
            of = sum(max(one.revision - one.oldest + 1, 0) for one in chosen)
            try:
                replays = [await self._one(history, one, of, progress) for one in chosen]
            except JournalError:
                raise
            except TridoError as error:  # of the codec: what is stored is not this definition's
                return _unreadable(journal.path, error)
            return self._reported(journal.path, replays)

    def _reported(self, file: str, replays: Sequence[Replayed[Any]]) -> Finding:
        is_part = self.wanted.since > 0 or self.wanted.until < float("inf")
        if is_part and not any(one.decided or one.taken for one in replays):
            reason = "none of the turns of these agents is among those of --since and --until"
            return _trouble(file, "NoTurns", reason, "ask for more of them")
        return reported(file, self.definition.name, replays)

    async def _chosen(self, history: History) -> list[Stored]:
        """Whom to replay."""
        return [one async for one in history.agents() if self._is_chosen(one)]

    @property
    def _ids(self) -> set[str]:
        """Who is wanted by name."""
        return {id_in(self.wanted.partition or "", id) for id in self.wanted.agents}

    def _is_chosen(self, one: Stored) -> bool:
        if self.wanted.agents:
            return id_of(one.agent) in self._ids
        in_it = self.wanted.partition in (None, one.agent.partition)
        return in_it and one.name == self.definition.name

    async def _one(
        self, history: History, stored: Stored, of: int, progress: Progress
    ) -> Replayed[Any]:
        wanted, before = self.wanted, self._done
        found = await history.replay(
            self.definition,
            id_of(stored.agent),
            since=wanted.since,
            until=wanted.until,
            most=wanted.most,
            progress=lambda done, _: progress(before + done, of),
        )
        self._done = before + max(stored.revision - stored.oldest + 1, 0)
        return found

    async def _nobody(
        self, journal: SqliteJournal, history: History, missing: Iterable[str]
    ) -> Finding:
        agents = [one async for one in history.agents()]
        names, where = {one.name for one in agents}, self.wanted.partition
        whom = ", ".join(map(repr, sorted(missing))) or f"of {self.definition.name!r}"
        if self.definition.name in names and not missing:  # so they are elsewhere
            there = {one.agent.partition for one in agents if one.name == self.definition.name}
            has = f"they are in {', '.join(map(repr, sorted(there)))}"
            return _trouble(
                journal.path, "NotKept", f"it has no agent {whom} in partition {where!r}", has
            )
        has = f"it has agents of {', '.join(map(repr, sorted(names)))}" if names else "it is empty"
        return _trouble(journal.path, "NotKept", f"it has no agent {whom}", has)


def _of(known: Iterable[Any], wanted: Callable[[Any], bool]) -> Sequence[Any]:
    return [one for one in known if wanted(one)]


def _is_directive(one: Any) -> bool:
    """Whether it is a class of directives that is not trido's own."""
    is_one = isinstance(one, type) and issubclass(one, Directive)
    return is_one and not one.__module__.startswith("trido.")


def _unreadable(file: str, error: TridoError) -> Finding:
    remedy = "replay with the definition that wrote it, or one that can read it"
    reason = said(error).replace(f"{file}: ", "", 1)  # which is said before it
    return _trouble(file, type(error).__name__, reason, remedy)


def _trouble(file: str, kind: str, reason: str, remedy: str) -> Finding:
    return trouble(file, kind, reason, remedy, 2)
