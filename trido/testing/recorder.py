"""Records what agents and children do, and what each thing came of."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar, final

import trio

from trido.agents import Directive
from trido.checks import count
from trido.runtime.dead_letters import DeadLetter
from trido.runtime.probe import Probes
from trido.supervision.events import Event
from trido.supervision.probe import PROBE
from trido.testing import arguments
from trido.testing import recorder_entries as noted
from trido.testing.recorder_entries import Note
from trido.testing.recorder_probe import Notes

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

Place: TypeAlias = "AgentPlace[Any]"
E = TypeVar("E", bound=Note)
T = TypeVar("T")

MOST: Final = 200_000


@final
class Recorder(Notes):
    """Notes down what happens to whatever is opened in its block, of agents and of children.

    ``with trido.testing.Recorder() as recorder: async with trido.open_runtime() as rt: ...``

    Everything that happened is an entry, and knows what it came of: a turn of its signal, a
    directive of its turn, a signal of the directive that emitted it, a restart of the crash. The
    invariants of this room look at it, and `explain` tells of it. It changes nothing of what it
    looks at, but that each thing takes longer.

    Args:
      most: how many entries it keeps. Of more it only counts how many there were.

    Raises:
      SpecError: ``most`` is no whole number.
    """

    def __init__(self, *, most: int = MOST) -> None:
        count("Recorder", "most", most, least=1, infinite=False)
        super().__init__(most)
        self.left: tuple[str, ...] = ()
        """The tasks that were not there when its block was entered, and were when it was left."""
        self.is_over: bool = False
        """Whether its block was left."""
        self._before: frozenset[trio.lowlevel.Task] = frozenset()
        self._token: Token[Any] | None = None

    def __repr__(self) -> str:
        return f"<trido.testing.Recorder of {len(self.entries)} entries>"

    # Its block ------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        other = PROBE.get()
        self._token = PROBE.set(self if other is None else Probes((self, other)))
        self._before = _tasks()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:  # pragma: no branch - it was entered
            PROBE.reset(self._token)
        self.is_over = True
        self.left = tuple(sorted(task.name for task in _tasks() - self._before))

    # What it knows --------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Note]:
        return iter(self.entries)

    def of(self, kind: type[E], agent: str | None = None) -> list[E]:
        """The entries of one kind; those of one agent, if it is given.

        Raises:
          SpecError: ``kind`` is no class.
        """
        arguments.kind("Recorder.of", kind, "a class of entries, such as Sent; then the agent's id")
        return [one for one in self.entries if isinstance(one, kind) and agent in (None, one.agent)]

    @property
    def agents(self) -> tuple[str, ...]:
        """Everybody who had a run, in the order of their first."""
        return tuple(dict.fromkeys(one.agent for one in self.of(noted.RunStarted)))

    @property
    def crashes(self) -> list[noted.RunEnded]:
        """The runs that ended by an error of their own."""
        return [one for one in self.of(noted.RunEnded) if one.is_crash]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The dead letters, in order."""
        return [one.letter for one in self.of(noted.Lettered)]

    @property
    def events(self) -> list[Event]:
        """What the supervisors of runtimes told their observers."""
        return [one.event for one in self.of(noted.Told)]

    def states(self, agent: str) -> list[Any]:
        """The states that an agent committed, in order."""
        return [one.state for one in self.of(noted.TurnCommitted, agent)]

    def effects(self, kind: type[Directive] = Directive, agent: str | None = None) -> list[Any]:
        """The directives of a class that executors and actions have done, in order.

        Raises:
          SpecError: ``kind`` is no class.
        """
        arguments.kind("Recorder.effects", kind, "a class of directives; then the agent's id")
        return [
            one.directive
            for one in self.of(noted.Effect, agent)
            if one.outcome == "done" and isinstance(one.directive, kind)
        ]


def _tasks() -> frozenset[trio.lowlevel.Task]:
    """All that there are in this run of Trio; none, if there is none."""
    if not trio.lowlevel.in_trio_run():
        return frozenset()
    found, root = set(), trio.lowlevel.current_root_task()
    waiting = [] if root is None else [root]
    while waiting:
        task = waiting.pop()
        found.add(task)
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return frozenset(found)
