"""What nobody will serve or carry out any more, kept to be looked at and sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, final

import trio
from attrs import field, frozen
from trio.lowlevel import enable_ki_protection

from trido.agents import Signal
from trido.agents.directive import Directive
from trido.agents.errors import AgentError
from trido.agents.secrets import redacted
from trido.runtime.errors import NoSuchAgent, Overloaded

if TYPE_CHECKING:
    from trido.runtime.place import AgentPlace
    from trido.runtime.ref import AgentRef

Again: TypeAlias = "Callable[[AgentPlace[Any]], None]"
"""Has an agent carry out a directive again."""

KEPT: Final = 1000
"""How many dead letters are kept at least: the latest, and a whole mailbox in any case."""


@final
@frozen(eq=False, repr=False)
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
    id: str | None = field(default=None, kw_only=True)
    """Names the directive in a journal, for `Runtime.resolve`; None if it is in none."""
    by: str = field(default="", kw_only=True)
    """The id of the agent that gave it up: whom it was sent to, or who sent it."""
    _to: AgentRef[Any] | None = field(default=None, kw_only=True, alias="to")
    _again: Again | None = field(default=None, kw_only=True, alias="again")

    _redacts_itself: ClassVar = True

    def __repr__(self) -> str:
        what = self.signal if self.directive is None else self.directive
        return f"DeadLetter({self.agent!r}, {redacted(what)}, {redacted(self.reason)})"


@final
class DeadLetters:
    """The latest dead letters, oldest first: those of a runtime, or of an agent without one.

    Bounded: the oldest are forgotten, and counted.
    """

    __slots__ = ("_count", "_find", "_ids", "_kept", "_most", "_of", "_sending")

    def __init__(self, most: int, find: Callable[[str], AgentPlace[Any] | None]) -> None:
        self._most = most
        self._find = find
        self._kept: dict[int, DeadLetter] = {}
        self._ids: dict[str, int] = {}
        """Where those are that have an id."""
        self._sending: set[DeadLetter] = set()
        self._count = 0
        self._of: AgentPlace[Any] | None = None

    def of(self, place: AgentPlace[Any]) -> DeadLetters:
        """Those that one agent gave up: a view of the same letters."""
        view = DeadLetters(self._most, self._find)
        view._kept, view._ids = self._kept, self._ids
        view._sending, view._of = self._sending, place
        return view

    def __iter__(self) -> Iterator[DeadLetter]:
        letters = list(self._kept.values())
        place = self._of
        return iter(letters if place is None else [one for one in letters if one.by == place.id])

    def __len__(self) -> int:
        return len(self._kept) if self._of is None else len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<trido.DeadLetters: {len(self)} kept of {self.total}>"

    @property
    def total(self) -> int:
        """How many there were, with those that are no longer kept."""
        return self._count if self._of is None else self._of.dead_lettered

    def add(self, letter: DeadLetter) -> None:
        """Keep one; forget the oldest if there are too many.

        One of an id that is kept takes its place: it is told of again, by another run.
        """
        if letter.id is not None:
            self._count -= self.forget(letter.id)
            self._ids[letter.id] = id(letter)
        self._count += 1
        self._kept[id(letter)] = letter
        if len(self._kept) > self._most:
            self._drop(next(iter(self._kept.values())))

    def forget(self, id: str) -> bool:
        """A directive of this id is a dead letter no more; False if it was none."""
        key = self._ids.get(id)
        if key is not None:
            self._drop(self._kept[key])
        return key is not None

    def _drop(self, letter: DeadLetter) -> None:
        self._kept.pop(id(letter), None)
        if letter.id is not None and self._ids.get(letter.id) == id(letter):
            del self._ids[letter.id]

    @enable_ki_protection
    async def resend(self, letter: DeadLetter) -> None:
        """Send a signal again, or carry out a directive again. It is a dead letter no more.

        A signal is cast to the agent that has the id now; see `AgentRef.cast`. A directive is
        carried out by the agent that has the id of the one that committed it; an executor is given
        the same `Delivery.id` as before. If the caller is cancelled meanwhile, the letter stays
        one.

        Checkpoints: always.

        Raises:
          LookupError: the letter is no longer kept, or has been sent again.
          NoSuchAgent: there is no agent of this id, or it sleeps. The letter stays one.
            (`Runtime.resolve` with ``"retry"`` wakes a durable agent to carry a directive out.)
          CodecError: an earlier process has left it, and it cannot be read. The letter stays one.
          Overloaded: the agent has no room for the directive, or refuses signals when its mailbox
            is full. The letter stays one.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._kept.get(id(letter)) is not letter or letter in self._sending:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise LookupError(f"not kept, or sent already: {letter!r}")
        self._sending.add(letter)
        try:
            await self._send(letter)
            self._drop(letter)
        finally:
            self._sending.discard(letter)

    async def _send(self, letter: DeadLetter) -> None:
        place = self._place_of(letter)
        if letter._again is None and place is not None and letter.signal is not None:
            await place.ref.cast(letter.signal)
            return
        await trio.lowlevel.cancel_shielded_checkpoint()
        if place is None:
            raise NoSuchAgent(letter.agent, directive=letter.id)
        if not place.has_room(1):
            raise Overloaded(letter.agent)
        if letter._again is not None:  # pragma: no branch - it has a signal, or that
            letter._again(place)

    def _place_of(self, letter: DeadLetter) -> AgentPlace[Any] | None:
        place = self._find(letter.agent)
        if place is None and letter._to is not None:
            place = letter._to.place
        return None if place is None or place.has_ended else place
