"""What nobody will serve or carry out any more, kept to be looked at and sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, final

from attrs import field, frozen

from trido.agents import Signal
from trido.agents.directive import Directive
from trido.agents.errors import AgentError
from trido.runtime.errors import NoSuchAgent

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace

KEPT: Final = 1000
"""How many dead letters are kept at least: the latest, and a whole mailbox in any case."""


@final
@frozen(eq=False)
class DeadLetter:
    """A signal that was not served, or a directive that was not carried out."""

    agent: str
    """The id of the agent the signal was sent to, or that committed the directive."""
    signal: Signal | None
    """The signal; None for a directive that sends none."""
    reason: AgentError
    """Why: what a caller would have been told."""
    directive: Directive | None = field(default=None, kw_only=True)
    """The directive, if it is one."""


@final
class DeadLetters:
    """The latest dead letters, oldest first: those of a runtime, or of an agent without one.

    Bounded: the oldest are forgotten, and counted.
    """

    __slots__ = ("_count", "_find", "_kept", "_most", "_of")

    def __init__(self, most: int, find: Callable[[str], AgentPlace[Any] | None]) -> None:
        self._most = most
        self._find = find
        self._kept: dict[int, DeadLetter] = {}
        self._count = 0
        self._of: AgentPlace[Any] | None = None

    def of(self, place: AgentPlace[Any]) -> DeadLetters:
        """Those of one agent only: a view of the same letters."""
        view = DeadLetters(self._most, self._find)
        view._kept, view._of = self._kept, place
        return view

    def __iter__(self) -> Iterator[DeadLetter]:
        letters = list(self._kept.values())
        place = self._of
        return iter(letters if place is None else [one for one in letters if one.agent == place.id])

    def __len__(self) -> int:
        return len(self._kept) if self._of is None else len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<trido.DeadLetters: {len(self)} kept of {self.total}>"

    @property
    def total(self) -> int:
        """How many there were, with those that are no longer kept."""
        return self._count if self._of is None else self._of.dead_lettered

    def add(
        self,
        agent: str,
        signal: Signal | None,
        reason: AgentError,
        directive: Directive | None = None,
    ) -> None:
        """Keep one; forget the oldest if there are too many."""
        letter = DeadLetter(agent, signal, reason, directive=directive)
        self._count += 1
        self._kept[id(letter)] = letter
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    async def resend(self, letter: DeadLetter) -> None:
        """Send a signal again, or carry out a directive again. It is a dead letter no more.

        A signal is cast to the agent that has the id now; see `AgentRef.cast`. If the caller is
        cancelled meanwhile, the letter stays one.

        Checkpoints: always.

        Raises:
          LookupError: the letter is no longer kept, or has been sent again.
          NoSuchAgent: there is no agent of this id. The letter stays one.
        """
        if self._kept.get(id(letter)) is not letter:
            raise LookupError(f"not kept: {letter!r}")
        place = self._find(letter.agent)
        if place is None or place.has_ended:
            raise NoSuchAgent(letter.agent)
        if letter.directive is None and letter.signal is not None:
            await place.ref.cast(letter.signal)
        else:
            await place.carry_out_again(letter)
        self._kept.pop(id(letter), None)
